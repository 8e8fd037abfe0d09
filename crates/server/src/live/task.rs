//! The task: it applies what was committed and what was asked, in one order.

use super::order::Order;
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
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    loop {
        let due = tables.next_due();
        tokio::select! {
            biased;
            // First what was committed: whoever asks next is judged by it.
            Some(Batch { committed, kept }) = committed.recv() => {
                sabotage::pass(Point::BeforePublish);
                for committed in committed {
                    tables.apply(committed);
                }
                // Only now: what was published counts as such, so nobody is admitted twice in its place.
                drop(kept);
            }
            Some(order) = orders.recv() => {
                if let Order::Stop { done } = order {
                    let _ = done.send(());
                    return;
                }
                tables.obey(order);
            }
            () = sleep_until(due.unwrap_or_else(far)), if due.is_some() => tables.tell_due(),
            else => return,
        }
        // What is told together leaves together: a batch of posts costs each reader's shard one wake.
        tables.delivery.hand_over();
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

impl Tables {
    fn obey(&mut self, order: Order) {
        // An answer that nobody waits for any more is no loss: the connection is gone. It comes after the hand-over, so that
        // what is asked of delivery because of it cannot pass what was asked here.
        match order {
            Order::Arriving { noted } => {
                self.arriving += 1;
                let _ = noted.send(());
            }
            Order::Arrived => self.arrived(),
            Order::Register { conn, caller, rooms } => {
                self.arriving += 1;
                let registered = self.register(conn, &caller);
                self.delivery.hand_over();
                let _ = rooms.send(registered);
            }
            Order::Greet { conn, greeting } => self.greet(conn, *greeting),
            Order::Resume { resuming, head } => {
                let resumed = self.resume(resuming);
                self.delivery.hand_over();
                let _ = head.send(resumed);
            }
            Order::Visit { conn, caller } => self.visit(conn, caller.as_ref()),
            Order::Enter { entering, entered } => {
                let answer = self.enter(*entering);
                self.delivery.hand_over();
                let _ = entered.send(answer);
            }
            Order::Leave { conn, done } => {
                self.leave(conn);
                self.delivery.hand_over();
                let _ = done.send(());
            }
            Order::Known { conn, caller } => self.known(conn, &caller),
            Order::Closed { conn } => self.closed(conn),
            Order::Removed { room } => self.removed(room),
            Order::Here { room, here } => {
                let _ = here.send(self.here(room));
            }
            Order::Sessions { sessions } => {
                let _ = sessions.send(self.sessions());
            }
            Order::NameHere { folded, here } => {
                let _ = here.send(self.presence.is_name_anywhere(&folded));
            }
            Order::SimpleRooms { rooms } => {
                let _ = rooms.send(self.simple_rooms());
            }
            // The loop ends at this order before it gets here.
            Order::Stop { done } => drop(done),
        }
    }
}
