//! The page with which Google Drive asks for a confirmation before it hands out a large file: "Google Drive can't scan this
//! file for viruses". Its form leads to the file.

/// Most of a page that is read.
pub(super) const MAX_PAGE: u64 = 1 << 20;

/// Returns the address to which the form of the page leads; `None` for any other page. `address` is that of the page.
pub(super) fn confirmed_address(page: &str, address: &str) -> Option<String> {
    let form =
        elements(page, "form").find(|form| attribute(form, "id").as_deref() == Some("download-form"))?;
    let action = attribute(form, "action")?;
    let target = match action.starts_with('/') {
        true => format!("{}{action}", origin(address)?),
        false => action,
    };
    // A page of one host must not lead to a file of any other scheme than its own.
    if !target.starts_with("http://") && !target.starts_with("https://") {
        return None;
    }
    let hidden =
        elements(page, "input").filter(|input| attribute(input, "type").as_deref() == Some("hidden"));
    let fields: Vec<String> = hidden
        .filter_map(|input| {
            Some(format!("{}={}", encoded(&attribute(input, "name")?), encoded(&attribute(input, "value")?)))
        })
        .collect();
    let separator = if target.contains('?') { '&' } else { '?' };
    Some(format!("{target}{separator}{}", fields.join("&")))
}

/// The opening tags of all elements called `name`.
fn elements<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let opening = format!("<{name} ");
    let starts: Vec<usize> = page.match_indices(&opening).map(|(at, _)| at).collect();
    starts.into_iter().filter_map(|at| page[at..].split('>').next())
}

/// The value of an attribute in double quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(rest.split_once('"')?.0.replace("&amp;", "&"))
}

/// Scheme and host of an address.
fn origin(address: &str) -> Option<&str> {
    let host = address.find("://")? + 3;
    Some(address[host..].find(['/', '?']).map_or(address, |end| &address[..host + end]))
}

/// Encodes a value of a query (RFC 3986, section 2.3).
fn encoded(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => (byte as char).to_string(),
        other => format!("%{other:02X}"),
    };
    value.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!DOCTYPE html><html><body><p class="uc-warning-caption">Google Drive can't scan this file for
        viruses.</p><form id="download-form" action="https://drive.usercontent.google.com/download" method="get">
        <input type="submit" id="uc-download-link" value="Download anyway"/><input type="hidden" name="id" value="1q_-X">
        <input type="hidden" name="confirm" value="t"><input type="hidden" name="uuid" value="a b&amp;c"></form></body>"#;

    #[test]
    fn the_form_leads_to_the_file() {
        let address = confirmed_address(PAGE, "https://drive.google.com/uc?id=1").unwrap();
        let expected = "https://drive.usercontent.google.com/download?id=1q_-X&confirm=t&uuid=a%20b%26c";
        assert_eq!(address, expected);
        let relative = PAGE.replace("https://drive.usercontent.google.com", "");
        let address = confirmed_address(&relative, "http://localhost:1234/uc?id=1").unwrap();
        assert!(address.starts_with("http://localhost:1234/download?id=1q_-X"), "{address}");
    }

    #[test]
    fn any_other_page_leads_nowhere() {
        for page in ["", "<form ", "<form id=\"login\" action=\"/x\">", &PAGE.replace("https:", "file:")] {
            assert_eq!(confirmed_address(page, "http://localhost"), None, "{page}");
        }
    }
}
