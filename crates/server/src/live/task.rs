//! The task: it applies what was committed and what was asked, in one order.

use super::job::Job;
use super::tables::Tables;
use chat::Batch;
use sabotage::Point;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Runs until the server stops.
pub(super) async fn run(
    mut tables: Tables,
    mut committed: mpsc::Receiver<Batch>,
    mut jobs: mpsc::UnboundedReceiver<Job>,
) {
    loop {
        let due = tables.next_due();
        tokio::select! {
            biased;
            // What was committed goes first: the next job is judged by it.
            Some(Batch { committed, kept }) = committed.recv() => {
                sabotage::pass(Point::BeforePublish);
                for committed in committed {
                    tables.apply(committed);
                }
                // Only now, when publishing has counted the bytes of each event: were its place in the room's pace given
                // up earlier, another write would be admitted to it while the event still fills it.
                drop(kept);
            }
            Some(job) = jobs.recv() => {
                if let Job::Stop { done } = job {
                    let _ = done.send(());
                    return;
                }
                tables.work(job);
            }
            () = sleep_until(due.unwrap_or_else(far)), if due.is_some() => tables.tell_due(),
            else => return,
        }
        // What one batch or job tells leaves together: each shard is woken once for it.
        tables.delivery.hand_over();
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

impl Tables {
    fn work(&mut self, job: Job) {
        // An answer may find nobody: then its connection is gone, and it is no loss. An answer is sent after the hand-over,
        // so that what the connection then asks of delivery cannot overtake what was asked for it here.
        match job {
            Job::Arriving { noted } => {
                self.arriving += 1;
                let _ = noted.send(());
            }
            Job::Arrived => self.arrived(),
            Job::Register { conn, caller, rooms } => {
                self.arriving += 1;
                let registered = self.register(conn, &caller);
                self.delivery.hand_over();
                let _ = rooms.send(registered);
            }
            Job::Greet { conn, greeting } => self.greet(conn, *greeting),
            Job::Resume { resuming, head } => {
                let resumed = self.resume(resuming);
                self.delivery.hand_over();
                let _ = head.send(resumed);
            }
            Job::Visit { conn, caller } => self.visit(conn, caller.as_ref()),
            Job::Enter { entering, entered } => {
                let answer = self.enter(*entering);
                self.delivery.hand_over();
                let _ = entered.send(answer);
            }
            Job::Leave { conn, done } => {
                self.leave(conn);
                self.delivery.hand_over();
                let _ = done.send(());
            }
            Job::Known { conn, caller } => self.known(conn, &caller),
            Job::Closed { conn } => self.closed(conn),
            Job::Removed { room } => self.removed(room),
            Job::Here { room, here } => {
                let _ = here.send(self.here(room));
            }
            Job::Sessions { sessions } => {
                let _ = sessions.send(self.sessions());
            }
            Job::NameHere { folded, here } => {
                let _ = here.send(self.presence.is_name_anywhere(&folded));
            }
            Job::SimpleRooms { rooms } => {
                let _ = rooms.send(self.simple_rooms());
            }
            // The loop ends at this job before it gets here.
            Job::Stop { done } => drop(done),
        }
    }
}
