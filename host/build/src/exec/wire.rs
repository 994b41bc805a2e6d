//! How the runner, the helper and the first process of a sandbox talk: frames over a socket.
//!
//! A frame is a JSON value, any number of secrets behind it, and at most one open file. Secrets are
//! raw bytes: they are never text in between, and never in an argument, an environment or a file.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use report::Secret;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// 16 MiB: a command with its environment fits a hundred times.
const LONGEST: u32 = 16 << 20;

/// What came over the socket.
pub(super) struct Frame<T> {
    /// The value.
    pub(super) value: T,
    /// The secrets behind it.
    pub(super) secrets: Vec<Secret>,
    /// The open file with it.
    pub(super) file: Option<OwnedFd>,
}

/// Sends one frame.
pub(super) fn send<T: Serialize>(
    stream: &UnixStream,
    value: &T,
    secrets: &[&Secret],
    file: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let json = serde_json::to_vec(value)?;
    let mut head = Vec::with_capacity(8 + 4 * secrets.len() + json.len());
    let mut length = |size: usize| {
        let size = u32::try_from(size).ok().filter(|size| *size <= LONGEST);
        let size = size.ok_or_else(|| io::Error::other("more than a frame takes"))?;
        head.extend(size.to_le_bytes());
        io::Result::Ok(())
    };
    length(json.len())?;
    length(secrets.len())?;
    for secret in secrets {
        length(secret.expose().len())?;
    }
    head.extend(json);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let files: Vec<BorrowedFd<'_>> = file.into_iter().collect();
    if !files.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&files));
    }
    let sent = sendmsg(stream, &[IoSlice::new(&head)], &mut control, SendFlags::NOSIGNAL)?;
    let mut stream = stream;
    stream.write_all(head.get(sent..).unwrap_or_default())?;
    for secret in secrets {
        stream.write_all(secret.expose())?;
    }
    Ok(())
}

/// The next frame; `None` when the other side has gone, or will say nothing more.
pub(super) fn receive<T: DeserializeOwned>(stream: &UnixStream) -> io::Result<Option<Frame<T>>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut first = [0; 4];
    let got =
        recvmsg(stream, &mut [IoSliceMut::new(&mut first)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if got.bytes == 0 {
        return Ok(None);
    }
    let mut file = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(mut files) = message {
            file = files.next();
        }
    }
    let mut stream = stream;
    stream.read_exact(first.get_mut(got.bytes..).unwrap_or_default())?;
    let json = bounded(u32::from_le_bytes(first))?;
    let count = bounded(read_length(stream)?)?;
    let mut lengths = Vec::new();
    for _ in 0..count {
        lengths.push(bounded(read_length(stream)?)?);
    }
    let json = read_bytes(stream, json)?;
    let value = serde_json::from_slice(&json)?;
    let mut secrets = Vec::with_capacity(lengths.len());
    for length in lengths {
        secrets.push(Secret::new(read_bytes(stream, length)?));
    }
    Ok(Some(Frame { value, secrets, file }))
}

fn bounded(length: u32) -> io::Result<usize> {
    if length > LONGEST {
        return Err(io::Error::other("a frame that is too long"));
    }
    usize::try_from(length).map_err(io::Error::other)
}

fn read_length(mut stream: &UnixStream) -> io::Result<u32> {
    let mut bytes = [0; 4];
    stream.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_bytes(mut stream: &UnixStream, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
