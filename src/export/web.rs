//! Writes a page that classifies pictures in the browser: static files for any web server, which ask for nothing elsewhere.

use super::built::BuiltClassifier;
use super::train_pictures::TrainPictures;
use crate::backbone::install::WebRuntime;
use crate::error::{Error, Kind, Result};
use crate::io::{fs, json};
use crate::report::format::{count, escape_direction};
use crate::report::html::{DOCTYPE, Markup, PreEscaped, html};
use crate::report::plot::{DARK, LIGHT};
use serde_json::json;
use std::path::Path;

const PAGE: &str = "index.html";

/// Part of the page by which a folder is recognised as one that may be replaced.
const MADE_BY: &str = "<meta name=\"generator\" content=\"headstart ";

/// The scripts and the style of the page.
const FILES: [(&str, &str); 5] = [
    ("app.js", include_str!("web/app.js")),
    ("hint.js", include_str!("web/hint.js")),
    ("resize.js", include_str!("web/resize.js")),
    ("worker.js", include_str!("web/worker.js")),
    ("rules.css", include_str!("web/page.css")),
];

/// The files of the page come from its own folder, and nothing from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
                      img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'";

/// Checks, before long work, that the page may be written to the folder: nothing, or an earlier page of this program is there.
///
/// # Errors
/// [`Kind::Input`] where something else is in the way.
pub(super) fn check(folder: &Path) -> Result<()> {
    fs::check_place(folder)?;
    let is_own =
        || fs::read(&folder.join(PAGE)).is_ok_and(|page| String::from_utf8_lossy(&page).contains(MADE_BY));
    match !folder.exists() || folder.is_dir() && (fs::list(folder)?.is_empty() || is_own()) {
        true => Ok(()),
        false => Err(Error::new(Kind::Input, "the page belongs here, but something else is in the way")
            .at(folder)
            .help("choose a new folder as `web`")),
    }
}

/// Writes the folder, whole or not at all.
pub(super) fn write(
    folder: &Path,
    name: &str,
    built: &BuiltClassifier,
    runtime: &WebRuntime,
    pictures: Option<&TrainPictures>,
) -> Result<()> {
    fs::write_folder(folder, |folder| {
        let write = |name: &str, bytes: &[u8]| fs::write_atomic(&folder.join(name), bytes);
        write(PAGE, escape_direction(&page(name, built, runtime).into_string()).as_bytes())?;
        FILES.iter().try_for_each(|(name, text)| write(name, text.as_bytes()))?;
        write("colours.css", colours().as_bytes())?;
        write("classifier.onnx", &built.bytes)?;
        write("classifier.json", json::encode(&settings(name, built, pictures.is_some())).as_bytes())?;
        if let Some(pictures) = pictures {
            write("pictures.json", json::encode(&pictures.list).as_bytes())?;
            write("pictures.bin", &pictures.features)?;
        }
        fs::create_folder(&folder.join("ort"))?;
        write("ort/LICENSE.txt", include_bytes!("web/onnxruntime-licence.txt"))?;
        runtime.files.iter().try_for_each(|(name, content)| write(&format!("ort/{name}"), content))
    })
}

/// What the scripts have to know.
fn settings(name: &str, built: &BuiltClassifier, has_pictures: bool) -> serde_json::Value {
    json!({
        "name": name,
        "classes": built.classes,
        "bytes": built.bytes.len(),
        "preprocessing": built.spec.preprocessing.steps,
        "reject": built.threshold.map(|threshold| json!({"threshold": threshold})),
        "pictures": has_pictures,
    })
}

/// The palettes of reports, light and dark.
fn colours() -> String {
    let palette = |colours: &[(&str, &str)]| -> String {
        colours.iter().map(|(name, colour)| format!("--{name}:{colour};")).collect()
    };
    format!(
        ":root{{color-scheme:light dark;{}}}\n@media (prefers-color-scheme: dark){{:root{{{}}}}}\n",
        palette(&LIGHT),
        palette(&DARK)
    )
}

fn page(name: &str, built: &BuiltClassifier, runtime: &WebRuntime) -> Markup {
    let generator = format!("{MADE_BY}{}\">", env!("CARGO_PKG_VERSION"));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                (PreEscaped(generator))
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Classify pictures with " (name) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="colours.css";
                link rel="stylesheet" href="rules.css";
            }
            body {
                header {
                    h1 { "Classify a picture" }
                    p.lead {
                        "Which of " (count(built.classes.len())) " classes is it? The classifier " em { (name) }
                        " runs in this browser; pictures do not leave the device."
                    }
                }
                main { (controls()) (results()) (classes(&built.classes)) }
                footer {
                    p {
                        "Backbone: " (built.spec.backbone.title) ". Made by headstart " (env!("CARGO_PKG_VERSION"))
                        "; runs in " (runtime.name) "."
                    }
                }
                script src="hint.js" {}
                script type="module" src="app.js" {}
            }
        }
    }
}

fn controls() -> Markup {
    html! {
        label.zone id="zone" for="files" {
            input type="file" id="files" accept="image/*" multiple;
            div {
                strong { "Choose pictures" }
                span { "or drop or paste them here" }
            }
        }
        div.actions { button type="button" id="camera" hidden { "Use the camera" } }
        div.viewfinder id="viewfinder" hidden {
            video id="video" autoplay muted playsinline aria-label="What the camera sees" {}
            button.main type="button" id="shoot" { "Take the picture" }
        }
        div.loading id="loading" {
            label for="progress" { span { "Loading the classifier" } span id="loaded" {} }
            progress id="progress" max="1" value="0" {}
        }
        p.warning id="trouble" role="alert" hidden {}
        p.status id="status" role="status" aria-live="polite" {}
    }
}

fn results() -> Markup {
    html! {
        section id="results" aria-labelledby="results-heading" hidden {
            h2 id="results-heading" { "Answers" }
            div id="answers" {}
        }
    }
}

fn classes(classes: &[String]) -> Markup {
    html! {
        section aria-labelledby="classes-heading" {
            h2 id="classes-heading" { "Classes" }
            details open[classes.len() <= 24] {
                summary { "The " (count(classes.len())) " classes that it knows" }
                ul.classes { @for class in classes { li { (class) } } }
            }
        }
    }
}
