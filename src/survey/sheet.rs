//! The page of a folder of images, section by section.

use super::examples::{self, Examples};
use super::preview::Pair;
use super::{Side, SurveyStats, Suspect, plots, tables};
use crate::augment::Variant;
use crate::data::ImageFolder;
use crate::digest::Digest;
use crate::markup::{Markup, html};
use crate::page::{self, Card, Page, Picture, Ranked, Section, Table, Thumb, facts, thumbs};
use crate::places::Made;
use crate::plot::Figure;
use crate::preprocess::{Normalization, Preprocessing};
use crate::words::{count, percent};

/// All that the page is made from.
pub(super) struct Material<'a> {
    pub looked: &'a ImageFolder,
    pub stats: &'a SurveyStats,
    pub pictures: &'a [Pair],
    pub examples: &'a [Examples],
    /// A picture of each of the first groups of copies.
    pub copies: &'a [Picture],
}

/// The page with its plots and tables.
pub(super) fn made(material: &Material) -> Made {
    let (figures, tables) = (plots::all(material.stats), tables::all(material.stats));
    let sheet = Sheet { material, figures: &figures, tables: &tables };
    let root = &material.looked.root;
    let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy();
    let page =
        Page { title: format!("The images of {name}"), lead: sheet.lead(), sections: sheet.sections() };
    Made { page, figures, tables }
}

struct Sheet<'a> {
    material: &'a Material<'a>,
    figures: &'a [Figure],
    tables: &'a [Table],
}

/// Rows of a table in the page at most; its CSV file has all.
const ROWS: usize = 200;

impl Sheet<'_> {
    fn lead(&self) -> Markup {
        let summary = &self.material.stats.summary;
        html! {
            (count(summary.images)) " images in " (count(summary.classes.len() - summary.empty_classes)) " classes, "
            (format!("{:.1} MB", summary.bytes as f64 / 1e6)) ", in " (page::name(&self.material.looked.root.display().to_string())) "."
        }
    }

    fn sections(&self) -> Vec<Section> {
        let stats = self.material.stats;
        let refused = !(stats.summary.unreadable.is_empty() && stats.summary.conflicting.is_empty());
        let all = [
            (true, Section::new("summary", "Summary", self.summary())),
            (true, Section::new("composition", "Composition", self.composition())),
            (
                !self.material.examples.is_empty(),
                Section::new("examples", "Examples of each class", self.examples()),
            ),
            (stats.summary.images > 0, Section::new("sizes", "Sizes", self.sizes())),
            (stats.augmentation.is_some(), Section::new("augmentation", "Augmentation", self.augmentation())),
            (true, Section::new("duplicates", "Duplicates", self.duplicates())),
            (
                stats.near_duplicates.is_some(),
                Section::new("near-duplicates", "Near-duplicates across splits", self.twins()),
            ),
            (stats.doubtful_labels.is_some(), Section::new("doubts", "Doubtful labels", self.doubts())),
            (refused, Section::new("refused", "Files that cannot be used", self.table("refused"))),
        ];
        all.into_iter().filter_map(|(is_there, section)| is_there.then_some(section)).collect()
    }

    fn figure(&self, name: &str) -> Markup {
        self.figures.iter().find(|figure| figure.name == name).map_or(html! {}, page::figure)
    }

    /// A table, or its first rows.
    fn table(&self, name: &str) -> Markup {
        let Some(table) = self.tables.iter().find(|table| table.name == name) else { return html! {} };
        let rest = table.rows.len().saturating_sub(ROWS);
        let rows = table.rows.iter().take(ROWS).cloned().collect();
        html! {
            (Table { rows, ..table.clone() }.markup())
            @if rest > 0 { p.note { "And " (count(rest)) " more, which the CSV file has (" code { "--tables DIR" } ")." } }
        }
    }

    fn summary(&self) -> Markup {
        let summary = &self.material.stats.summary;
        let largest = summary.classes.first();
        let used = summary.classes.len() - summary.empty_classes;
        let smallest = summary.classes[..used].last();
        let empty = match summary.empty_classes {
            0 => String::new(),
            n => format!("; {} without any", count(n)),
        };
        let mut all = vec![
            ("Images", count(summary.images), format!("in {} classes{empty}", count(used))),
            (
                "Largest class",
                percent(largest.map(|class| class.share)),
                largest.map_or(String::new(), |class| {
                    format!(
                        "{}: {} images; always answering it would be right as often",
                        class.name,
                        count(class.images)
                    )
                }),
            ),
        ];
        if let Some(class) = smallest {
            let singles = match summary.single_image_classes {
                0 => String::new(),
                n => format!("; {} of one image, which nothing can be measured on", count(n)),
            };
            all.push(("Smallest class", count(class.images), format!("{}{singles}", class.name)));
        }
        let refused = summary.unreadable.len() + summary.conflicting.len();
        let conflicts = format!(
            "{} unreadable, {} under two labels",
            count(summary.unreadable.len()),
            count(summary.conflicting.len())
        );
        all.push(("Refused", count(refused), conflicts));
        all.push((
            "Copies",
            count(summary.copies),
            "files of the same bytes as another of their class".into(),
        ));
        facts(&all)
    }

    fn composition(&self) -> Markup {
        let classes = self.material.stats.summary.classes.len();
        html! {
            @if classes > plots::MOST_CLASSES {
                p { "The plot shows the " (plots::MOST_CLASSES) " largest of " (count(classes)) " classes." }
            }
            (page::side_by_side([self.figure("composition"), self.table("classes")]))
            @if self.material.stats.splits.is_some() { (page::side_by_side([self.figure("splits"), self.table("splits")])) }
        }
    }

    fn examples(&self) -> Markup {
        let rest = self.material.stats.summary.classes.len()
            - self.material.stats.summary.empty_classes
            - self.material.examples.len();
        let class = |class: &Examples| Thumb {
            picture: class.pictures[0].clone(),
            words: html! { p { (page::name(&class.label)) " " span.quiet { (count(class.images)) } } },
        };
        let thumb = |picture: &Picture| Thumb { picture: picture.clone(), words: html! {} };
        html! {
            @if self.material.examples.len() <= examples::ROWS {
                p { "Spread evenly over the files of each class, in the order of their names." }
            }
            @if rest > 0 { p.note { "One of each; " (count(rest)) " smaller classes are not shown." } }
            @if self.material.examples.len() > examples::ROWS { (thumbs(&self.material.examples.iter().map(class).collect::<Vec<_>>())) }
            @else { @for class in self.material.examples {
                h3 { (page::name(&class.label)) " " span.quiet.amount { (count(class.images)) } }
                (thumbs(&class.pictures.iter().map(thumb).collect::<Vec<_>>()))
            } }
        }
    }

    fn sizes(&self) -> Markup {
        let sizes = &self.material.stats.sizes;
        html! {
            @match sizes.pairs.as_slice() {
                [only] if sizes.distinct == 1 => p { "All images are " (only.width) " pixels wide and " (only.height) " high." },
                _ => {
                    p {
                        (count(sizes.distinct)) " pairs of width and height, as stored: before a picture is turned as its camera noted."
                        @if sizes.step > 1 { " They are rounded to multiples of " (sizes.step) " pixels." }
                    }
                    (page::side_by_side([self.figure("sizes"), self.table("sizes")]))
                }
            }
        }
    }

    fn augmentation(&self) -> Markup {
        let Some(preview) = &self.material.stats.augmentation else { return html! {} };
        html! {
            p {
                (page::name(&preview.path)) ", in each variant that "
                @if preview.cached { "the cache has." }
                @else { code { "extract --augment shift:30 --augment flip" } " would make." }
                " What a shift uncovers is black. On the left as it is made, on the right as it enters the network: " (told(&preview.preprocessing))
            }
            ul.variants { @for pair in self.material.pictures { (variant(pair)) } }
        }
    }

    fn duplicates(&self) -> Markup {
        let all = &self.material.stats.duplicates;
        let conflicts = all.iter().filter(|copies| copies.labels.len() > 1).count();
        let cards: Vec<Card> = all
            .iter()
            .zip(self.material.copies)
            .map(|(copies, picture)| Card {
                picture: picture.clone(),
                title: copies.labels.join(" and "),
                body: html! { @for path in &copies.paths { p.path { (page::name(path)) } } },
            })
            .collect();
        html! {
            @if all.is_empty() { p { "No two files have the same bytes." } }
            @else {
                p {
                    (count(all.len())) " images are there more than once, byte for byte. "
                    @if conflicts > 0 {
                        strong { (count(conflicts)) " of them under two labels" } ": nobody can say which is right, so " code { "extract" }
                        " refuses all copies. "
                    }
                    "Copies under one label share their features and their split."
                }
                (page::cards(&cards))
                @if all.len() > cards.len() { (self.table("duplicates")) }
            }
        }
    }

    fn twins(&self) -> Markup {
        let Some(twins) = &self.material.stats.near_duplicates else { return html! {} };
        let side = |side: &Side| {
            html! {
                div {
                    div.frame { (self.picture(&side.path, side.image_sha256).markup()) }
                    p { strong { (side.split.name()) } " " (page::name(&side.path)) }
                }
            }
        };
        html! {
            p {
                "The " (twins.pairs.len()) " nearest pairs of images that are in different splits, by the angle between their features (one less its "
                "cosine). A test image that is nearly one of the train images measures memory, not skill: move both into one split, or one away."
                @if let Some((variant, median)) = &twins.scale {
                    " For scale: half of the images lie within " (format!("{median:.4}")) " of their own " code { (variant) } "."
                }
            }
            ul.twins { @for twin in &twins.pairs { li {
                @for one in &twin.images { (side(one)) }
                p.quiet { "distance " (format!("{:.4}", twin.distance)) @if twin.images[0].label != twin.images[1].label { ", of different classes" } }
            } } }
        }
    }

    fn doubts(&self) -> Markup {
        let Some(doubts) = &self.material.stats.doubtful_labels else { return html! {} };
        let card = |suspect: &Suspect| Card {
            picture: self.picture(&suspect.path, suspect.image_sha256),
            title: suspect.label.clone(),
            body: html! {
                (page::ranked(&[
                    Ranked { label: suspect.suggested.clone(), probability: suspect.suggested_probability, mark: None },
                    Ranked { label: suspect.label.clone(), probability: suspect.label_probability, mark: Some("label") },
                ]))
                p.path { (page::name(&suspect.path)) }
            },
        };
        let cards: Vec<Card> = doubts.suspects.iter().take(SUSPECTS).map(card).collect();
        html! {
            p {
                "Each image was answered by one of " (doubts.folds) " heads, fitted without it, which are right about " (percent(doubts.accuracy)) " of "
                (count(doubts.images)) " images. Confident learning (Northcutt, Jiang and Chuang 2021) doubts " (count(doubts.suspects.len()))
                " of the labels: another class is more probable than it is, on average, for its own images. "
                @if cards.len() < doubts.suspects.len() { "These " (cards.len()) " are the most doubtful; the others are in " code { "--json" } " and " code { "--tables" } ". " }
                "A doubt is a reason to look, no more: what is hard to tell for these features is doubted too."
            }
            (page::cards(&cards))
        }
    }

    /// A picture of the folder, read for this place.
    fn picture(&self, path: &str, digest: Digest) -> Picture {
        Picture {
            thumbnail: page::thumbnail(&self.material.looked.root.join(path), digest).ok(),
            alt: path.into(),
        }
    }
}

/// Doubtful labels that are shown.
const SUSPECTS: usize = 24;

fn told(how: &Preprocessing) -> Markup {
    let scale = match how.normalization {
        Normalization::Unit => "0 to 1",
        Normalization::Symmetric => "-1 to 1",
        Normalization::Imagenet => "the mean and deviation of ImageNet",
    };
    html! {
        @if how.crop < 1.0 { "the centre " (percent(how.crop)) " of each side" } @else { "the whole image" }
        ", resized to " (how.size) " x " (how.size) " pixels, whose bytes are then scaled to " (scale) " (shown as the bytes)."
    }
}

fn variant(pair: &Pair) -> Markup {
    let words = match pair.variant {
        Variant::None => "the image as it is".into(),
        Variant::Flip => "mirrored".into(),
        Variant::Shift { dx, dy } => moved(dx, dy),
    };
    html! {
        li {
            div.frame { (pair.before.markup()) }
            div.frame { (pair.after.markup()) }
            p { strong { (pair.variant.to_string()) } " " span.quiet { (words) } }
        }
    }
}

fn moved(dx: i32, dy: i32) -> String {
    let part = |by: i32, to: [&str; 2]| match by {
        0 => None,
        by => Some(format!("{} pixels {}", by.unsigned_abs(), to[usize::from(by < 0)])),
    };
    let parts: Vec<String> =
        [part(dx, ["right", "left"]), part(dy, ["down", "up"])].into_iter().flatten().collect();
    format!("moved {}", parts.join(", "))
}
