//! Requests over HTTP and HTTPS, through the proxies that the environment names. The only user of `ureq`.

use std::io::Read;
use std::time::Duration;
use ureq::ResponseExt;
use ureq::http::header;
use ureq::tls::{RootCerts, TlsConfig};

/// Longest time to connect, and between two pieces of an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens requests. Redirects are followed.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    /// For servers on this machine, which no proxy could reach.
    direct: ureq::Agent,
}

/// The answer of a server, up to its body.
pub(super) struct Response {
    pub status: u16,
    /// Length of the body in bytes, where the server says it.
    pub length: Option<u64>,
    /// The part of the file that the body is, where it is only a part.
    pub range: Option<ContentRange>,
    /// Identifies this version of the file, for `If-Range`.
    pub validator: Option<String>,
    /// Whether the body is a web page.
    pub is_page: bool,
    /// The address after redirects.
    pub address: String,
    pub body: Box<dyn Read>,
}

/// A `Content-Range` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub start: u64,
    /// Size of the whole file in bytes.
    pub total: Option<u64>,
}

/// The part of a file to ask for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resume<'a> {
    /// The first byte.
    pub start: u64,
    /// The version of the file; a server that has another one sends the whole file.
    pub validator: Option<&'a str>,
}

impl Client {
    pub fn new() -> Self {
        // The certificates of the system, among which are those of a company's proxy.
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let config = || {
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .tls_config(tls.clone())
                .user_agent(concat!("headstart/", env!("CARGO_PKG_VERSION")))
                .timeout_resolve(Some(PATIENCE))
                .timeout_connect(Some(PATIENCE))
                .timeout_recv_response(Some(PATIENCE))
                .timeout_per_read(Some(PATIENCE))
        };
        Self { agent: config().build().new_agent(), direct: config().proxy(None).build().new_agent() }
    }

    /// Asks for the file at `address`, or for the rest of it.
    ///
    /// # Errors
    /// Why there is no answer, as text.
    pub(super) fn get(&self, address: &str, resume: Option<Resume>) -> Result<Response, String> {
        // A compressed answer would have another length and other bytes than the file.
        let agent = if is_on_this_machine(address) { &self.direct } else { &self.agent };
        let mut request = agent.get(address).header(header::ACCEPT_ENCODING, "identity");
        if let Some(Resume { start, validator }) = resume {
            request = request.header(header::RANGE, format!("bytes={start}-"));
            if let Some(validator) = validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        let response = request.call().map_err(|e| e.to_string())?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        // A weak tag does not guarantee the same bytes.
        let tag = text(header::ETAG).filter(|tag| !tag.starts_with("W/"));
        Ok(Response {
            status: response.status().as_u16(),
            length: text(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()),
            range: text(header::CONTENT_RANGE).and_then(ContentRange::parse),
            validator: tag.or_else(|| text(header::LAST_MODIFIED)).map(str::to_string),
            is_page: text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("text/html")),
            address: response.get_uri().to_string(),
            body: Box::new(response.into_body().into_reader()),
        })
    }
}

/// Why there is no answer.
#[cfg(feature = "cloud")]
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The server cannot be reached, so the request had no effect.
    Connect(String),
    Timeout(String),
    /// The connection ended too early.
    Cut(String),
}

#[cfg(feature = "cloud")]
impl Client {
    /// Sends any request, and reads the whole answer, whatever its status.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn exchange(
        &self,
        request: ureq::http::Request<Vec<u8>>,
    ) -> Result<ureq::http::Response<Vec<u8>>, NoAnswer> {
        let has_body = !request.body().is_empty() || matches!(request.method().as_str(), "PUT" | "POST");
        let agent = if is_on_this_machine(&request.uri().to_string()) { &self.direct } else { &self.agent };
        let answer = if has_body { agent.run(request) } else { agent.run(request.map(|_| ())) };
        let (head, mut body) = answer.map_err(no_answer)?.into_parts();
        let bytes = body.with_config().limit(u64::MAX).read_to_vec().map_err(no_answer)?;
        Ok(ureq::http::Response::from_parts(head, bytes))
    }
}

#[cfg(feature = "cloud")]
fn no_answer(error: ureq::Error) -> NoAnswer {
    use std::io::ErrorKind::{ConnectionRefused, TimedOut};
    let text = error.to_string();
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => NoAnswer::Connect(text),
        ureq::Error::Io(e) if e.kind() == ConnectionRefused => NoAnswer::Connect(text),
        ureq::Error::Io(e) if e.kind() == TimedOut => NoAnswer::Timeout(text),
        ureq::Error::Timeout(_) => NoAnswer::Timeout(text),
        _ => NoAnswer::Cut(text),
    }
}

fn is_on_this_machine(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, host)| host);
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|local| {
        host.strip_prefix(local).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/', '?']))
    })
}

impl ContentRange {
    /// Parses `bytes 100-199/200`; the size may be `*`.
    fn parse(text: &str) -> Option<Self> {
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let (start, _) = range.split_once('-')?;
        Some(Self { start: start.trim().parse().ok()?, total: total.trim().parse().ok() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_pass_the_proxy_by() {
        for address in ["http://127.0.0.1:80/x", "https://localhost", "http://[::1]/", "http://localhost?x"] {
            assert!(is_on_this_machine(address), "{address}");
        }
        for address in ["http://localhost.example/", "http://127.0.0.1.example", "http://example/localhost"] {
            assert!(!is_on_this_machine(address), "{address}");
        }
    }

    #[test]
    fn the_range_of_an_answer_is_parsed() {
        let range = |start, total| Some(ContentRange { start, total });
        assert_eq!(ContentRange::parse("bytes 100-199/200"), range(100, Some(200)));
        assert_eq!(ContentRange::parse("bytes 7-9/*"), range(7, None));
        for bad in ["", "bytes */200", "items 1-2/3", "bytes 1-2", "bytes -/2"] {
            assert_eq!(ContentRange::parse(bad), None, "{bad}");
        }
    }
}
