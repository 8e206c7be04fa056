//! HTML and SVG written as Rust with `html!` of `maud`, which nothing else uses. Every text is escaped; only
//! [`PreEscaped`] turns text into markup, and only for what this program wrote itself.

pub use maud::{DOCTYPE, Markup, PreEscaped, html};

/// JSON for a `<script type="application/json">`; nothing in it can end the element or begin another.
pub fn json(value: &serde_json::Value) -> Markup {
    // In JSON `<` occurs inside strings only, where it may be written as an escape.
    PreEscaped(value.to_string().replace('<', "\\u003c"))
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
        let json = json(&serde_json::json!({"a": "</script><!--"})).into_string();
        assert!(!json.contains('<'), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["a"], "</script><!--");
    }
}
