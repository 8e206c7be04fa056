//! Carries the requests of `object_store` by the client of downloads, so that there is one HTTP client with one set of certificates
//! and proxies.

use crate::io::download::{Client, NoAnswer};
use http_body::Body;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientOptions, Result as StoreResult};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Opens connections.
#[derive(Debug)]
pub(super) struct Transport;

impl HttpConnector for Transport {
    fn connect(&self, _: &ClientOptions) -> StoreResult<HttpClient> {
        Ok(HttpClient::new(Service(Client::new())))
    }
}

/// Sends requests and waits for the answers on the calling thread. Several requests at a time need several threads.
#[derive(Debug)]
struct Service(Client);

type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Service {
    fn call<'s, 'a>(&'s self, request: HttpRequest) -> Answer<'a>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let answer = self.0.exchange(request.map(bytes)).map_err(failed)?;
            Ok(answer.map(HttpResponseBody::from))
        })
    }
}

/// The bytes of a body, all of which are in memory.
fn bytes(mut body: HttpRequestBody) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.content_length());
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut context) {
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    bytes
}

fn failed(error: NoAnswer) -> HttpError {
    let (kind, text) = match error {
        NoAnswer::Connect(text) => (HttpErrorKind::Connect, text),
        NoAnswer::Timeout(text) => (HttpErrorKind::Timeout, text),
        NoAnswer::Cut(text) => (HttpErrorKind::Interrupted, text),
    };
    HttpError::new(kind, std::io::Error::other(text))
}
