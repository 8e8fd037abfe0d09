//! Nothing is missed and nothing comes twice, however often a reader falls behind: the tail, the log and the reader
//! together.

use std::sync::{Arc, Mutex};

use delivery::{ConnId, Delivery, Follow, Frame, Options, Publication};
use tokio::sync::mpsc::UnboundedReceiver;

use super::support::{LOBBY, NATIVE, Told, hall_with, meanwhile, options};

/// Frames of a page.
const PAGE: usize = 50;

/// A room as a server keeps it: its log, and the one place that publishes and follows.
struct Room {
    delivery: Delivery,
    log: Mutex<Vec<String>>,
}

impl Room {
    fn post(&self, text: String) {
        let mut log = self.log.lock().unwrap();
        log.push(text.clone());
        let publication = Publication { seq: Some(log.len() as u64), frame: Frame::text(text), cut: false };
        self.delivery.publish(LOBBY, NATIVE, publication);
    }

    fn resume(&self, conn: ConnId, after: u64) {
        let log = self.log.lock().unwrap();
        let head = log.len() as u64;
        self.delivery.follow(Follow::anew(conn, LOBBY, after, head));
    }

    /// Sends a page out of the log; returns the last seq in it.
    fn page(&self, conn: ConnId, after: u64) -> u64 {
        let log = self.log.lock().unwrap();
        let page: Vec<Frame> = log[after as usize..].iter().take(PAGE).map(Frame::text).collect();
        let last = after + page.len() as u64;
        self.delivery.page(conn, page);
        last
    }

    /// Does what a server does in each call of its gateway. Returns how often the reader lagged.
    async fn serve(&self, conn: ConnId, mut told: UnboundedReceiver<Told>) -> usize {
        let (mut lagged, mut paged) = (0, 0);
        while let Some(told) = told.recv().await {
            match told {
                Told::Lagged { last, .. } => {
                    lagged += 1;
                    self.resume(conn, last);
                }
                Told::TooOld { after, .. } => paged = self.page(conn, after),
                Told::Drained => self.resume(conn, paged),
                Told::Closed(_) => return lagged,
                Told::Text(_) | Told::Binary(_) | Told::Taken => {}
            }
        }
        lagged
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_falls_behind_again_and_again_hears_everything_once_and_in_order() {
    let hall = hall_with(Options { tail_bytes: 16 << 10, ..options() });
    let room = Arc::new(Room { delivery: hall.delivery.clone(), log: Mutex::default() });
    let mut ben = hall.lazy_person().await;
    let told = std::mem::replace(&mut ben.told, tokio::sync::mpsc::unbounded_channel().1);
    let serving = tokio::spawn({
        let (room, conn) = (room.clone(), ben.conn);
        async move { room.serve(conn, told).await }
    });
    room.resume(ben.conn, 0);

    let (mut posted, mut heard) = (0, 0);
    for (burst, reads) in [(3000, 500), (10, 100), (2000, 2500), (1, 5), (1500, 3406)] {
        let room = room.clone();
        meanwhile(move || {
            for n in 0..burst {
                room.post(format!("{} {}", posted + n + 1, "x".repeat(2000)));
            }
        })
        .await;
        posted += burst;
        for _ in 0..reads {
            heard += 1;
            let text = ben.text().await;
            assert_eq!(text.split(' ').next(), Some(heard.to_string().as_str()));
        }
    }

    assert_eq!(heard, posted);
    hall.delivery.close(ben.conn, 1000, "");
    ben.is_sent_away(1000).await;
    assert!(serving.await.unwrap() > 0, "never fell behind");
}
