//! HTML and SVG written as Rust with `html!` of `maud`, which nothing else uses. Every text is escaped; only
//! [`PreEscaped`] turns text into markup, and only for what this program wrote itself.

use super::format::{escape_direction, is_direction_mark};
pub use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Shows the direction marks of names as escapes wherever nothing keeps them away from the text around them: in sentences,
/// attributes and plots. In a `bdi` element they stay as they are.
pub fn escape_direction_outside_bdi(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    for (i, part) in html.split("<bdi>").enumerate() {
        let (isolated, rest) =
            if i == 0 { ("", part) } else { part.split_at(part.find("</bdi>").unwrap_or(0)) };
        if i > 0 {
            out.push_str("<bdi>");
        }
        out.push_str(isolated);
        out.push_str(&escape_direction(rest));
    }
    out
}

/// JSON for a `<script type="application/json">`; nothing in it can end the element or begin another.
pub fn json(value: &serde_json::Value) -> Markup {
    // In JSON these occur inside strings only, where they may be written as escapes.
    let escaped = |c: char| match c == '<' || is_direction_mark(c) {
        true => format!("\\u{:04x}", u32::from(c)),
        false => c.into(),
    };
    PreEscaped(value.to_string().chars().map(escaped).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_never_becomes_markup() {
        let name = "<script>alert(1)<\" & '";
        assert_eq!(
            html! { p title=(name) { (name) } }.into_string(),
            "<p title=\"&lt;script&gt;alert(1)&lt;&quot; &amp; '\">&lt;script&gt;alert(1)&lt;&quot; &amp; '</p>"
        );
        let json = json(&serde_json::json!({"a": "</script><!--\u{202e}"})).into_string();
        assert!(!json.contains(['<', '\u{202e}']), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["a"], "</script><!--\u{202e}");
    }

    #[test]
    fn direction_marks_stay_only_where_they_are_isolated() {
        let page = html! { p title="a\u{202e}" { "b\u{202e}" bdi { "c\u{202e}" } "d\u{2067}" bdi { "e" } } };
        assert_eq!(
            escape_direction_outside_bdi(&page.into_string()),
            "<p title=\"a\\u{202e}\">b\\u{202e}<bdi>c\u{202e}</bdi>d\\u{2067}<bdi>e</bdi></p>"
        );
    }
}
