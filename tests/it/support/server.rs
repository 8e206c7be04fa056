//! A web server on the loopback interface that answers as a test tells it to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// A request as far as tests look at it.
#[derive(Debug, Clone)]
pub struct Request {
    /// The number of the request, from 0.
    pub number: usize,
    /// What follows `GET`: a path, or a whole address for a proxy.
    pub path: String,
    /// The first byte of the range that is asked for.
    pub start: Option<usize>,
    pub if_range: Option<String>,
}

/// An answer, sent as it stands.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: &'static str,
    pub headers: Vec<String>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The whole file.
    pub fn file(body: &[u8]) -> Self {
        Self::of("200 OK", body).header(format!("Content-Length: {}", body.len()))
    }

    /// The file from byte `start` on.
    pub fn rest(file: &[u8], start: usize) -> Self {
        let rest = &file[start..];
        Self::of("206 Partial Content", rest)
            .header(format!("Content-Length: {}", rest.len()))
            .header(format!("Content-Range: bytes {start}-{}/{}", file.len() - 1, file.len()))
    }

    /// What a server that knows ranges answers.
    pub fn ranged(file: &[u8], request: &Request) -> Self {
        request.start.map_or_else(|| Self::file(file), |start| Self::rest(file, start))
    }

    pub fn of(status: &'static str, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_vec() }
    }

    pub fn page(body: &str) -> Self {
        Self::file(body.as_bytes()).header("Content-Type: text/html; charset=utf-8")
    }

    pub fn redirect(to: &str) -> Self {
        Self::of("302 Found", b"").header(format!("Location: {to}")).header("Content-Length: 0")
    }

    pub fn header(mut self, line: impl Into<String>) -> Self {
        self.headers.push(line.into());
        self
    }

    /// Ends the connection after `bytes` of the body.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.body.truncate(bytes);
        self
    }
}

/// A running server, which ends with its value.
pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (requests, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, stop) = (requests.clone(), ends.clone());
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    break;
                }
                let mut connection = connection.unwrap();
                let number = log.lock().unwrap().len();
                let Some(request) = read(&connection, number) else { continue };
                log.lock().unwrap().push(request.clone());
                // The client may have heard enough.
                let _ = send(&mut connection, &answer(&request));
            }
        });
        Self { address, requests, ends, thread: Some(thread) }
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Release);
        // Wakes the thread up.
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server failed");
        }
    }
}

fn read(connection: &TcpStream, number: usize) -> Option<Request> {
    let mut lines = BufReader::new(connection).lines().map_while(|line| line.ok());
    let path = lines.next()?.split(' ').nth(1)?.to_string();
    let mut request = Request { number, path, start: None, if_range: None };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_lowercase().as_str() {
            "range" => request.start = value.strip_prefix("bytes=")?.trim_end_matches('-').parse().ok(),
            "if-range" => request.if_range = Some(value.to_string()),
            _ => {}
        }
    }
    Some(request)
}

fn send(connection: &mut TcpStream, answer: &Answer) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {}\r\nConnection: close\r\n", answer.status);
    answer.headers.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
    connection.write_all(format!("{head}\r\n").as_bytes())?;
    connection.write_all(&answer.body)?;
    connection.flush()
}
