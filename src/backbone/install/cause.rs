//! Why a package client failed, read from what it printed.

/// Why a client failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// The program is not on the path.
    NoProgram,
    /// No space, or a quota.
    DiskFull,
    /// The server did not answer.
    Network,
    /// The server, a proxy or a setting refuses: credentials, certificates, rules.
    Refused,
    /// The client does not know what it was asked for.
    TooOld,
    /// The server has no such package or version.
    NotFound,
    /// The server answers, but fails or is too busy.
    Server,
    /// Other bytes came than the pinned ones.
    OtherBytes,
    /// None of these.
    Unknown,
}

/// Parts of messages of pip 20 to 26, npm 6 to 11 and uv, in lower case, the surest first: a client that cannot reach its
/// index also says that it found no package.
const SIGNS: [(Cause, &[&str]); 7] = [
    (Cause::DiskFull, &["no space left", "enospc", "quota exceeded", "edquot", "errno 28]", "errno 122]"]),
    (
        Cause::OtherBytes,
        &["do not match the hashes", "eintegrity", "integrity checksum failed", "hash mismatch"],
    ),
    (
        Cause::TooOld,
        &[
            "no such option",
            "unknown option",
            "unrecognized argument",
            "unexpected argument",
            "ebadengine",
            "syntaxerror",
            "does not support node.js",
            "requires node",
            "unsupported engine",
        ],
    ),
    (
        Cause::Refused,
        &[
            "certificate",
            "sslerror",
            "ssl:",
            "self signed",
            "self_signed",
            "eperm",
            "operation not permitted",
            "unable_to_get_issuer_cert",
            "unable_to_verify_leaf_signature",
            "unauthorized",
            "forbidden",
            "proxy authentication",
            "externally-managed",
            "activated virtualenv",
            "eotp",
            "eneedauth",
            "permission denied",
            "eacces",
        ],
    ),
    (
        Cause::Server,
        &["too many requests", "internal server error", "bad gateway", "service unavailable", "too many 5"],
    ),
    (
        Cause::Network,
        &[
            "no route to host",
            "name resolution",
            "name or service not known",
            "nodename nor servname",
            "connection refused",
            "connection reset",
            "connection broken",
            "connection aborted",
            "timed out",
            "timeout",
            "network is unreachable",
            "host is unreachable",
            "enotfound",
            "econnrefused",
            "econnreset",
            "etimedout",
            "eai_again",
            "ehostunreach",
            "enetunreach",
            "newconnectionerror",
            "max retries exceeded",
            "proxyerror",
            "dns error",
            "error sending request",
            "could not fetch url",
            "enotcached",
        ],
    ),
    (
        Cause::NotFound,
        &[
            "no matching distribution",
            "could not find a version",
            "etarget",
            "enoversions",
            "no versions available",
            "notarget",
            "no solution found",
            "not found in the package registry",
            "no matching version",
        ],
    ),
];

/// Finds the cause in the exit code of a client and what it printed.
pub(super) fn cause(code: Option<i32>, log: &str) -> Cause {
    if code == Some(127) {
        return Cause::NoProgram;
    }
    let log = log.to_lowercase();
    let found = SIGNS.iter().find(|(cause, signs)| {
        signs.iter().any(|sign| log.contains(sign)) || has_status(&log, statuses(*cause))
    });
    found.map_or(Cause::Unknown, |(cause, _)| *cause)
}

/// The HTTP statuses that mean `cause`.
fn statuses(cause: Cause) -> &'static [&'static str] {
    match cause {
        Cause::Refused => &["401", "403", "407", "451"],
        Cause::NotFound => &["404", "410"],
        Cause::Server => &["429", "500", "502", "503", "504"],
        _ => &[],
    }
}

/// Whether `log` has one of the HTTP `statuses` as a word of its own, or after `e` as npm writes codes. Digits within a hash
/// or an address do not count.
fn has_status(log: &str, statuses: &[&str]) -> bool {
    let words = log.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    words.into_iter().any(|word| statuses.contains(&word.strip_prefix('e').unwrap_or(word)))
}

/// Summarizes in one line what a client printed about its failure.
pub(super) fn error_lines(log: &str) -> String {
    let is_error = |line: &&str| {
        let line = line.to_lowercase();
        (line.contains("error") || line.contains("err!")) && !line.contains("log of this run")
    };
    let mut errors: Vec<&str> = log.lines().filter(is_error).map(str::trim).collect();
    // pip warns of each failed attempt in the same words.
    let mut warnings = 0;
    errors.retain(|line| {
        warnings += usize::from(line.starts_with("WARNING"));
        warnings < 2 || !line.starts_with("WARNING")
    });
    let lines = &errors[..errors.len().min(4)];
    match lines.is_empty() {
        true => {
            log.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing").to_string()
        }
        false => lines.join("; "),
    }
}

impl Cause {
    /// What to do about it; `client` is the name of the program, `settings` names where its index is set.
    pub fn advice(self, client: &str, settings: &str) -> String {
        match self {
            Self::NoProgram => format!("install {client}"),
            Self::DiskFull => "free some space or choose another place".into(),
            Self::Network => format!("check the network and the proxy (HTTPS_PROXY, {settings})"),
            Self::Refused => {
                format!("check the credentials, certificates and rules of {client} ({settings})")
            }
            Self::TooOld => format!("install a newer {client}"),
            Self::NotFound => format!("check the index that {client} is set to ({settings})"),
            Self::Server => "try again later".into(),
            Self::OtherBytes => format!(
                "check what the index, the proxy or the cache of {client} gives ({settings}): it is not the pinned file"
            ),
            Self::Unknown => format!("see what {client} says above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_told_apart_as_the_clients_word_them() {
        let cases = [
            (
                Cause::Network,
                "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError': [Errno -3] Temporary failure in name resolution'\nERROR: Could not find a version that satisfies the requirement onnxruntime==1.31.1 (from versions: none)\nERROR: No matching distribution found for onnxruntime==1.31.1",
            ),
            (
                Cause::Network,
                "npm ERR! code ENOTFOUND\nnpm ERR! errno ENOTFOUND\nnpm ERR! network request to https://registry.example.org/nsfwjs failed, reason: getaddrinfo ENOTFOUND registry.example.org",
            ),
            (Cause::Network, "npm error code EAI_AGAIN"),
            (
                Cause::Network,
                "error: Failed to fetch: `https://index.example.org/simple/pip/`\n  Caused by: dns error: failed to lookup address information",
            ),
            (
                Cause::NotFound,
                "ERROR: Could not find a version that satisfies the requirement onnxruntime==1.31.1 (from versions: 1.16.0, 1.17.0)",
            ),
            (
                Cause::NotFound,
                "npm error code ETARGET\nnpm error notarget No matching version found for nsfwjs@4.4.0.",
            ),
            (
                Cause::NotFound,
                "npm ERR! code E404\nnpm ERR! 404 Not Found - GET https://npm.example/nsfwjs - not_found",
            ),
            (Cause::Refused, "npm error code SELF_SIGNED_CERT_IN_CHAIN"),
            (Cause::Refused, "ERROR: Could not find an activated virtualenv (required)."),
            (Cause::Refused, "npm ERR! code E401"),
            (
                Cause::Refused,
                "Could not fetch URL https://index.example.org/simple/: There was a problem confirming the ssl certificate: HTTPSConnectionPool(host='index.example.org'): Max retries exceeded with url: /simple/ (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]",
            ),
            (
                Cause::DiskFull,
                "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            ),
            (Cause::DiskFull, "npm ERR! code ENOSPC\nnpm ERR! syscall write"),
            (Cause::TooOld, "Usage:   pip download [options]\n\nno such option: --require-hashes"),
            (
                Cause::TooOld,
                "ERROR: npm v11.0.0 is known not to run on Node.js v12. npm does not support Node.js v12.22.9",
            ),
            (Cause::Refused, "ERROR: HTTP error 403 while getting https://pypi.example/simple/onnxruntime/"),
            (
                Cause::Refused,
                "npm error 407 407 Proxy Authentication Required - GET https://npm.example/nsfwjs",
            ),
            (Cause::Refused, "error: HTTP status client error (401 Unauthorized) for url"),
            (Cause::Refused, "npm error code UNABLE_TO_GET_ISSUER_CERT_LOCALLY"),
            (Cause::Refused, "npm ERR! code EPERM\nnpm ERR! syscall rename"),
            (Cause::Server, "npm error code E429\nnpm error 429 Too Many Requests - GET https://npm.example"),
            (
                Cause::Server,
                "ERROR: Max retries exceeded with url: /simple/ (Caused by ResponseError('too many 503 error responses'))",
            ),
            (Cause::Server, "requests.exceptions.HTTPError: 500 Server Error: for url: https://pypi.example"),
            (Cause::NotFound, "npm ERR! code ENOVERSIONS\nnpm ERR! No versions available for nsfwjs"),
            (
                Cause::OtherBytes,
                "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n  Expected sha256 401403407e401\n       Got        403e403",
            ),
            (
                Cause::OtherBytes,
                "npm error code EINTEGRITY\nnpm error sha512-401/403+407== integrity checksum failed",
            ),
            (Cause::Unknown, "Got sha256 ab401c403d407e4045003 from https://pypi.example/401/403.whl"),
            (Cause::Unknown, "Segmentation fault"),
        ];
        for (expected, log) in cases {
            assert_eq!(cause(Some(1), log), expected, "{log}");
        }
        assert_eq!(cause(Some(127), "sh: 4: exec: npm: not found"), Cause::NoProgram);
    }

    #[test]
    fn error_lines_of_old_and_new_clients_are_found() {
        assert_eq!(error_lines("npm ERR! code E404\nnpm ERR! 404\n"), "npm ERR! code E404; npm ERR! 404");
        let log = "npm error code E404\nnpm error A complete log of this run can be found in: /x\n";
        assert_eq!(error_lines(log), "npm error code E404");
        let log = "WARNING: Retrying after Error\nWARNING: Retrying after Error\nERROR: none found";
        assert_eq!(error_lines(log), "WARNING: Retrying after Error; ERROR: none found");
        assert_eq!(error_lines("first\nlast\n\n"), "last");
        assert_eq!(error_lines(""), "it said nothing");
    }
}
