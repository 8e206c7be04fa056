//! Waits for futures and streams on the calling thread: nothing else here is asynchronous.

use futures_core::Stream;
use futures_core::stream::BoxStream;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Waits for `work` on this thread.
pub(super) fn wait<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without threads").block_on(work)
}

/// The results of a stream up to the first that is not wanted.
pub(super) async fn collect<T, E>(
    mut stream: BoxStream<'_, Result<T, E>>,
    is_wanted: impl Fn(&T) -> bool,
) -> Result<Vec<T>, E> {
    let mut found = Vec::new();
    while let Some(item) = next(&mut stream).await.transpose()?.filter(|item| is_wanted(item)) {
        found.push(item);
    }
    Ok(found)
}

/// The next item of a stream; `None` at its end.
pub(super) async fn next<T>(stream: &mut BoxStream<'_, T>) -> Option<T> {
    poll_fn(|context| stream.as_mut().poll_next(context)).await
}

/// The items of an iterator as a stream.
pub(super) struct Each<I>(pub I);

impl<I: Iterator + Unpin> Stream for Each<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }
}
