//! Whether all that was asked on a connection is answered, as seen by its bodies and its socket.

use axum::body::{Body, Bytes, HttpBody};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::{Request, Response};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What goes on on a connection.
#[derive(Debug, Default)]
pub struct Activity {
    /// Answers that are not over, and bodies of requests that somebody may still read.
    open: AtomicUsize,
    has_begun: AtomicBool,
    /// Nobody wants the rest of a request's body. Where the next request begins is hyper's to know.
    is_broken_off: AtomicBool,
    /// The client does not take what is written.
    is_stuck: AtomicBool,
}

impl Activity {
    /// Whether the next head is waited for. This and the next one: right after the connection was polled.
    pub fn is_waiting(&self) -> bool {
        self.open.load(Ordering::Acquire) == 0 && !self.is_stuck.load(Ordering::Acquire)
    }

    /// Whether something was asked, and every answer is with the client.
    pub fn is_over(&self) -> bool {
        self.is_waiting()
            && self.has_begun.load(Ordering::Acquire)
            && !self.is_broken_off.load(Ordering::Acquire)
    }

    /// Takes note of a request and its body.
    pub fn asked(self: &Arc<Self>, request: Request<Incoming>) -> (Open, Request<Body>) {
        self.has_begun.store(true, Ordering::Release);
        let request = request.map(|body| {
            if body.is_end_stream() {
                return Body::empty();
            }
            Body::new(Tracked { body, has_ended: false, is_request: true, open: Open::on(self) })
        });
        (Open::on(self), request)
    }
}

/// Something that is not over yet.
#[derive(Debug)]
pub struct Open(Arc<Activity>);

impl Open {
    fn on(activity: &Arc<Activity>) -> Self {
        activity.open.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(activity))
    }

    /// It is over when this answer is.
    pub fn until_sent(self, answer: Response<Body>) -> Response<Tracked<Body>> {
        answer.map(|body| Tracked { body, has_ended: false, is_request: false, open: self })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A body that tells when nobody needs it any more.
#[derive(Debug)]
pub struct Tracked<B: HttpBody> {
    body: B,
    has_ended: bool,
    is_request: bool,
    open: Open,
}

impl<B: HttpBody + Unpin> HttpBody for Tracked<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        self.has_ended |= matches!(frame, Poll::Ready(None));
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: HttpBody> Drop for Tracked<B> {
    fn drop(&mut self) {
        if self.is_request && !self.has_ended && !self.body.is_end_stream() {
            self.open.0.is_broken_off.store(true, Ordering::Release);
        }
    }
}

/// A socket that notes whether its client reads, with what was read from it too early.
#[derive(Debug)]
pub struct Io {
    stream: TcpStream,
    unread: Bytes,
    activity: Arc<Activity>,
}

impl From<TcpStream> for Io {
    fn from(stream: TcpStream) -> Self {
        Self { stream, unread: Bytes::new(), activity: Arc::default() }
    }
}

impl Io {
    pub fn activity(&self) -> Arc<Activity> {
        Arc::clone(&self.activity)
    }

    /// Is new again, with what was read of the next request.
    pub fn with_unread(self, unread: Bytes) -> Self {
        // Bytes of which none are left keep their buffer.
        let unread = if unread.is_empty() { Bytes::new() } else { unread };
        Self { unread, activity: Arc::default(), ..self }
    }

    /// The bare socket, and what was read of it.
    pub fn into_socket(self) -> (TcpStream, Bytes) {
        (self.stream, self.unread)
    }

    /// Waits for something to read.
    pub async fn readable(&self) -> io::Result<()> {
        if self.unread.is_empty() { self.stream.readable().await } else { Ok(()) }
    }

    fn noting<T>(&self, written: Poll<T>) -> Poll<T> {
        self.activity.is_stuck.store(written.is_pending(), Ordering::Release);
        written
    }
}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.unread.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, buffer);
        }
        let length = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noting(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.noting(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
