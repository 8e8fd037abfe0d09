//! A line that misbehaves: a TCP proxy between people and the server. Each connection has a chance of its own, from
//! the seed.

use anyhow::Result;
use fastrand::Rng;
use socket2::SockRef;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long a frozen line stays before the proxy forgets it. The kernel would keep it longer.
const FROZEN: Duration = Duration::from_secs(90);
/// Pieces that a line carries before it may freeze: upgrade and hello. Before the hello a client does not know how
/// often a beat is due, and waits longer for it than a shortened round lasts.
const GREETING: u32 = 3;
/// The most bytes of a request that is sent again.
const REQUEST: usize = 256 * 1024;
/// How long a byte takes on a line that trickles.
const BYTE: Duration = Duration::from_millis(20);

/// How the line behaves now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// It carries all bytes as they come.
    Clear,
    /// It delays bytes.
    Delay,
    /// Half of the connections end.
    Drop,
    /// Half of the connections carry nothing any more, and stay.
    Freeze,
    /// It carries a byte at a time.
    Trickle,
    /// Half of the connections are reset.
    Reset,
    /// Requests are sent again, one to three times, at other moments than they came.
    Replay,
}

/// The proxy.
pub struct Proxy {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    touched: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Line {
    upstream: SocketAddr,
    mood: watch::Receiver<Mood>,
    touched: Arc<AtomicU64>,
}

impl Proxy {
    /// A line to `upstream`.
    ///
    /// # Errors
    /// When there is no port for it.
    pub async fn start(upstream: SocketAddr, mut rng: Rng) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (mood, moods) = watch::channel(Mood::Clear);
        let touched = Arc::new(AtomicU64::new(0));
        let line = Line { upstream, mood: moods, touched: Arc::clone(&touched) };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (line, rng) = (line.clone(), rng.fork());
                // A line that breaks by itself is as good a fault as any.
                tokio::spawn(async move { line.carry(stream, rng).await.ok() });
            }
        });
        Ok(Self { address, mood, touched, task })
    }

    /// The address at which people reach it.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how the line behaves.
    pub fn become_mood(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Connections that were cut, frozen or reset, and requests that were sent again.
    pub fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    async fn carry(self, client: TcpStream, mut rng: Rng) -> Result<()> {
        client.set_nodelay(true)?;
        if *self.mood.borrow() == Mood::Replay {
            return self.replay(client, rng).await;
        }
        let server = TcpStream::connect(self.upstream).await?;
        server.set_nodelay(true)?;
        if rng.bool() {
            SockRef::from(&client).set_linger(Some(Duration::ZERO))?;
        }
        let is_chosen = rng.u32(0..100) < 60;
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        let up = self.clone().pump(from_client, to_server, rng.fork(), is_chosen);
        let down = self.clone().pump(from_server, to_client, rng.fork(), is_chosen);
        // When one direction ends, the whole connection does, as it does with an aborted line.
        tokio::select! {
            _ = up => {}
            _ = down => {}
            () = self.ends(is_chosen) => {}
        }
        Ok(())
    }

    /// Resolves when the line is to be cut or reset.
    async fn ends(&self, is_chosen: bool) {
        let mut mood = self.mood.clone();
        let is_end = |mood: &Mood| is_chosen && matches!(mood, Mood::Drop | Mood::Reset);
        if mood.wait_for(is_end).await.is_err() {
            std::future::pending::<()>().await;
        }
        self.touched.fetch_add(1, Ordering::Relaxed);
    }

    async fn pump(
        mut self,
        mut from: OwnedReadHalf,
        mut to: OwnedWriteHalf,
        mut rng: Rng,
        is_chosen: bool,
    ) -> Result<()> {
        let mut buffer = vec![0; 4096];
        for piece in 0_u32.. {
            let read = from.read(&mut buffer).await?;
            if read == 0 {
                return Ok(to.shutdown().await?);
            }
            let mood = *self.mood.borrow_and_update();
            match mood {
                Mood::Freeze if is_chosen && piece >= GREETING => {
                    self.touched.fetch_add(1, Ordering::Relaxed);
                    sleep(FROZEN).await;
                    return Ok(());
                }
                Mood::Delay => sleep(Duration::from_millis(rng.u64(1..60))).await,
                Mood::Trickle if is_chosen => {
                    self.trickle(&buffer[..read], &mut to).await?;
                    continue;
                }
                Mood::Clear | Mood::Drop | Mood::Freeze | Mood::Reset | Mood::Trickle | Mood::Replay => {}
            }
            to.write_all(&buffer[..read]).await?;
        }
        Ok(())
    }

    /// A byte at a time, and the rest at once when the mood is over.
    async fn trickle(&self, bytes: &[u8], to: &mut OwnedWriteHalf) -> Result<()> {
        self.touched.fetch_add(1, Ordering::Relaxed);
        for (index, byte) in bytes.iter().enumerate() {
            if *self.mood.borrow() != Mood::Trickle {
                return Ok(to.write_all(&bytes[index..]).await?);
            }
            to.write_all(&[*byte]).await?;
            sleep(BYTE).await;
        }
        Ok(())
    }

    /// Takes one request in, sends it up to three times, and answers with one of the answers, by chance.
    async fn replay(self, mut client: TcpStream, mut rng: Rng) -> Result<()> {
        let request = read_request(&mut client).await?;
        if is_upgrade(&request) {
            let mut server = TcpStream::connect(self.upstream).await?;
            server.write_all(&request).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        }
        let copies = rng.usize(1..4);
        self.touched.fetch_add(copies as u64, Ordering::Relaxed);
        let mut answers = Vec::new();
        for _ in 0..=copies {
            let (request, upstream) = (request.clone(), self.upstream);
            let after = Duration::from_millis(rng.u64(0..30));
            answers.push(tokio::spawn(async move {
                sleep(after).await;
                let mut server = TcpStream::connect(upstream).await?;
                server.write_all(&request).await?;
                let mut answer = Vec::new();
                server.read_to_end(&mut answer).await?;
                anyhow::Ok(answer)
            }));
        }
        // The other requests go on, and may arrive long after the answer.
        let answer = answers.swap_remove(rng.usize(0..answers.len())).await??;
        client.write_all(&answer).await?;
        Ok(client.shutdown().await?)
    }
}

async fn read_request(client: &mut TcpStream) -> Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut buffer = vec![0; 4096];
    loop {
        let read = client.read(&mut buffer).await?;
        request.extend_from_slice(&buffer[..read]);
        if read == 0 || request.len() > REQUEST || is_whole(&request) {
            return Ok(request);
        }
    }
}

fn is_whole(request: &[u8]) -> bool {
    let Some(end) = memchr::memmem::find(request, b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    request.len() >= end + 4 + length.unwrap_or(0)
}

fn is_upgrade(request: &[u8]) -> bool {
    let end = memchr::memmem::find(request, b"\r\n\r\n").unwrap_or(request.len());
    String::from_utf8_lossy(&request[..end]).to_ascii_lowercase().contains("\r\nupgrade: websocket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_whole_when_its_body_is() {
        assert!(!is_whole(b"POST / HTTP/1.1\r\nContent-Le"));
        assert!(!is_whole(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab"));
        assert!(is_whole(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"));
        assert!(is_whole(b"GET / HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn an_upgrade_is_told_from_a_request() {
        assert!(is_upgrade(b"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"));
        assert!(!is_upgrade(b"POST / HTTP/1.1\r\n\r\nupgrade: websocket"));
    }
}
