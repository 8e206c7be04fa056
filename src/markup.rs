//! HTML and SVG written as Rust, every text escaped: `html!` of maud, whose only door this is. Text becomes markup in no
//! other way than through [`PreEscaped`], which is for what this program itself wrote.

pub use maud::{DOCTYPE, Markup, PreEscaped, html};

/// JSON for a `<script type="application/json">`: nothing in it ends the element or begins another.
pub fn json(value: &serde_json::Value) -> Markup {
    // `<` stands in no JSON but inside strings, where it may be written so.
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
