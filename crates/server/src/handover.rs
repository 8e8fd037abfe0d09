//! Handing over: how a server gives its listening socket, and then its data directory, to the one that follows it.
//!
//! The two speak in lines on a Unix socket in the directory. The newcomer says `take over 1`, and the running server answers
//! `listener` with the listening socket. The newcomer checks whatever it can without writing, and says `ready`. Only now
//! the running server lets go of all that it writes to, and says `yours`. Once the newcomer serves, it says `serving`, and
//! the other sends its clients over. If one of them hangs up before that, the other one serves alone.

use crate::directory::{Directory, Lock};
use anyhow::{Context, Result, bail, ensure};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::fs::{self, Permissions};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{sleep, timeout};

/// What is said, in order.
const TAKE_OVER: &str = "take over 1";
const LISTENER: &str = "listener";
const READY: &str = "ready";
const YOURS: &str = "yours";
const SERVING: &str = "serving";

/// The longest line.
const LINE: usize = 64;
/// How long the newcomer may take to say what it wants. A process that says nothing would hold up those behind it.
const ASKING: Duration = Duration::from_secs(2);
/// After how long without an answer the newcomer says that it waits.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the newcomer may take for its checks.
const LOOKING: Duration = Duration::from_secs(30);
/// How long the one that serves may take to let go.
const LETTING_GO: Duration = Duration::from_secs(30);
/// How long the lock of a process that has just died, or let go, may still be held.
const LOCK: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Where a running server hears of the one that is to follow it.
pub struct Handover {
    socket: UnixListener,
    path: PathBuf,
    /// Who may take over, beside root.
    owner: u32,
    listener: TcpListener,
}

impl Handover {
    /// Listens in the data directory, whose lock is held, on behalf of the server that accepts from `listener`.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(directory: &Directory, listener: TcpListener) -> Result<Self> {
        let path = directory.handover();
        // A socket there was left by the server before this one: while we hold the lock, no other server uses it.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let socket = UnixListener::bind(&path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o600))?;
        let owner = fs::metadata(&path)?.uid();
        Ok(Self { socket, path, owner, listener })
    }

    /// Waits for a server that is ready to follow.
    pub async fn successor(&self) -> Successor {
        loop {
            match self.meet().await {
                Ok(successor) => return successor,
                Err(error) => tracing::warn!(error = format!("{error:#}"), "a take-over came to nothing"),
            }
        }
    }

    async fn meet(&self) -> Result<Successor> {
        let (stream, _) = self.socket.accept().await?;
        let user = stream.peer_cred()?.uid();
        // The socket was open to every user for a moment, before its mode was set.
        ensure!(user == self.owner || user == 0, "a process of another user asked for it");
        let mut line = Line::new(stream);
        let ready = async {
            timeout(ASKING, line.hears(TAKE_OVER)).await.context("it said nothing")??;
            line.say_with(LISTENER, &self.listener).await?;
            line.hears(READY).await
        };
        timeout(LOOKING, ready).await.context("the process that asked for it never was ready")??;
        Ok(Successor(line))
    }

    /// Stops listening, before the lock is let go.
    pub fn close(self) {
        // If the file stays, the next server removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// A server that is ready to follow this one.
pub struct Successor(Line);

impl Successor {
    /// Tells it that the data directory is free.
    pub async fn may_begin(&self) {
        // That server may have died. Then `serves` says so.
        let _ = self.0.say(YOURS).await;
    }

    /// Waits until that server serves. The future may be dropped, and this be called again.
    ///
    /// # Errors
    /// When that server ends before.
    pub async fn serves(&mut self) -> Result<()> {
        self.0.hears(SERVING).await
    }
}

/// The server that this one is to follow.
pub struct Predecessor(Line);

impl Predecessor {
    /// Asks the server that holds the directory for its listening socket. That server goes on as before.
    ///
    /// # Errors
    /// When there is no such server, or it does not hand over.
    pub async fn ask(directory: &Directory) -> Result<(Self, TcpListener)> {
        tracing::info!("asking the server that uses the data directory for its place");
        let asked = async {
            let mut line = Line::new(UnixStream::connect(directory.handover()).await?);
            line.say(TAKE_OVER).await?;
            line.hears(LISTENER).await?;
            let listener = line.socket.take().context("it sent no socket")?;
            Ok::<_, anyhow::Error>((Self(line), TcpListener::from(listener)))
        };
        let mut asked = pin!(timeout(LOOKING, asked));
        let asked = match timeout(PATIENCE, &mut asked).await {
            Ok(asked) => asked,
            Err(_) => {
                let most = LOOKING.as_secs();
                tracing::warn!(
                    "it has not answered yet, as while another process asks it; waiting up to {most} s"
                );
                asked.await
            }
        };
        let asked = asked.context("it did not answer in time").flatten();
        asked.context("the server that uses the data directory does not hand over; stop it first")
    }

    /// Says that this one is ready, and takes the directory's lock when the other lets go of it, in good order or because
    /// it died.
    ///
    /// # Errors
    /// When it keeps the lock.
    pub async fn lets_go(&mut self, directory: &Directory) -> Result<Lock> {
        let let_go = async {
            self.0.say(READY).await?;
            self.0.hears(YOURS).await
        };
        if let Err(error) = timeout(LETTING_GO, let_go).await.context("it took too long").flatten() {
            tracing::warn!(error = format!("{error:#}"), "the server before did not say that it has let go");
        }
        lock(directory).await
    }

    /// Tells the other that this one serves.
    pub async fn serving(self) {
        // The other server may be gone, and its clients with it.
        let _ = self.0.say(SERVING).await;
    }
}

/// Claims a directory that is about to be let go.
///
/// # Errors
/// When it is not let go in time.
pub async fn lock(directory: &Directory) -> Result<Lock> {
    let free = async {
        loop {
            if let Ok(lock) = directory.try_lock()? {
                return Ok(lock);
            }
            sleep(LOOK_AGAIN).await;
        }
    };
    match timeout(LOCK, free).await {
        Ok(lock) => lock,
        Err(_) => directory.lock(),
    }
}

/// One end of the conversation.
struct Line {
    stream: UnixStream,
    heard: Vec<u8>,
    /// The socket that came with what was heard.
    socket: Option<OwnedFd>,
}

impl Line {
    const fn new(stream: UnixStream) -> Self {
        Self { stream, heard: Vec::new(), socket: None }
    }

    async fn say(&self, line: &str) -> Result<()> {
        self.send(line, &mut SendAncillaryBuffer::default()).await
    }

    async fn say_with(&self, line: &str, socket: &TcpListener) -> Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        let sockets = [socket.as_fd()];
        ensure!(beside.push(SendAncillaryMessage::ScmRights(&sockets)), "no space for a socket");
        self.send(line, &mut beside).await
    }

    async fn send(&self, line: &str, beside: &mut SendAncillaryBuffer<'_, '_, '_>) -> Result<()> {
        let line = format!("{line}\n");
        let sent = self.stream.async_io(Interest::WRITABLE, || {
            Ok(sendmsg(&self.stream, &[IoSlice::new(line.as_bytes())], beside, SendFlags::NOSIGNAL)?)
        });
        ensure!(sent.await? == line.len(), "a line was cut short");
        Ok(())
    }

    async fn hears(&mut self, line: &str) -> Result<()> {
        let heard = self.hear().await?;
        ensure!(heard == line, "heard {heard:?} instead of {line:?}");
        Ok(())
    }

    async fn hear(&mut self) -> Result<String> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.heard.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            ensure!(self.heard.len() <= LINE, "a line is too long");
            let (bytes, socket) =
                self.stream.async_io(Interest::READABLE, || Ok(receive(&self.stream)?)).await?;
            if bytes.is_empty() {
                bail!("the other process has hung up");
            }
            self.heard.extend(bytes);
            self.socket = socket.or(self.socket.take());
        }
    }
}

/// Receives bytes, and the socket that came beside them.
fn receive(stream: &UnixStream) -> rustix::io::Result<(Vec<u8>, Option<OwnedFd>)> {
    let mut bytes = [0; LINE];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let slice = &mut [IoSliceMut::new(&mut bytes)];
    let received = recvmsg(stream, slice, &mut beside, RecvFlags::CMSG_CLOEXEC)?.bytes;
    let socket = beside.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
        _ => None,
    });
    Ok((bytes[..received].to_vec(), socket))
}
