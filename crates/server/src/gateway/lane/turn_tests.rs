//! What the lane of a connection promises of turns.

use super::*;
use tokio::sync::{mpsc, oneshot};

#[tokio::test]
async fn posts_start_beside_each_other_and_finish_in_order() {
    let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
    let (done, mut finished) = mpsc::unbounded_channel();
    let mut gates = Vec::new();
    for number in 0..3 {
        let (gate, opened) = oneshot::channel::<()>();
        gates.push(gate);
        let done = done.clone();
        lane.push(Turn::Beside, move || {
            Started::now(async move {
                let _ = opened.await;
                let _ = done.send(number);
                None
            })
        });
    }
    for gate in gates.into_iter().rev() {
        gate.send(()).unwrap();
    }
    for number in 0..3 {
        assert_eq!(finished.recv().await, Some(number));
    }
}

#[tokio::test]
async fn a_command_waits_for_those_before_it_and_posts_behind_it_start_together() {
    let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
    let (note, mut noted) = mpsc::unbounded_channel();
    let (gate, opened) = oneshot::channel::<()>();
    let started = note.clone();
    lane.push(Turn::Own, move || {
        Started::now(async move {
            let _ = opened.await;
            let _ = started.send("turn done");
            None
        })
    });
    for _ in 0..2 {
        let note = note.clone();
        lane.push(Turn::Beside, move || {
            let _ = note.send("post started");
            Started::now(async move {
                let _ = note.send("post done");
                None
            })
        });
    }
    gate.send(()).unwrap();
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(noted.recv().await.unwrap());
    }
    assert_eq!(seen, ["turn done", "post started", "post started", "post done", "post done"]);
}

#[tokio::test]
async fn work_that_is_held_holds_what_is_behind_it_and_no_longer_than_it_is_held() {
    let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
    let (note, mut noted) = mpsc::unbounded_channel();
    let mut gates = Vec::new();
    for number in 0..4 {
        let (gate, opened) = oneshot::channel::<()>();
        gates.push(gate);
        let note = note.clone();
        lane.push(Turn::Beside, move || {
            // The first two are held, one after the other.
            let begun = note.clone();
            let work = move || -> Work {
                let _ = begun.send(("begun", number));
                Box::pin(async move {
                    let _ = begun.send(("done", number));
                    None
                })
            };
            if number > 1 {
                return Started::Now(work());
            }
            let _ = note.send(("held", number));
            Started::held(opened, |_| work())
        });
    }
    let mut seen = Vec::new();
    for gate in gates {
        let _ = gate.send(());
    }
    for _ in 0..10 {
        seen.push(noted.recv().await.unwrap());
    }
    let begun: Vec<_> = seen.iter().filter(|(what, _)| *what == "begun").map(|(_, n)| *n).collect();
    assert_eq!(begun, [0, 1, 2, 3], "{seen:?}");
    let at = |what| seen.iter().position(|seen| *seen == what).unwrap();
    assert!(at(("held", 1)) > at(("begun", 0)), "held only when it is its turn: {seen:?}");
    assert!(at(("begun", 3)) < at(("done", 1)), "not until it is answered: {seen:?}");
}

#[tokio::test]
async fn when_the_connection_is_over_what_has_started_is_finished_and_the_rest_is_let_go() {
    let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
    let (note, mut noted) = mpsc::unbounded_channel();
    let (gate, opened) = oneshot::channel::<()>();
    let started = note.clone();
    lane.push(Turn::Beside, move || {
        Started::now(async move {
            let _ = opened.await;
            let _ = started.send("started");
            None
        })
    });
    let (mut admit, admitted) = oneshot::channel::<()>();
    let held = note.clone();
    lane.push(Turn::Beside, move || {
        Started::held(admitted, move |_| {
            let _ = held.send("held");
            Box::pin(async { None })
        })
    });
    for turn in [Turn::Own, Turn::Beside] {
        let waiting = note.clone();
        lane.push(turn, move || {
            let _ = waiting.send("waiting");
            Started::now(async { None })
        });
    }
    drop(note);

    lane.close();
    gate.send(()).unwrap();
    assert_eq!(noted.recv().await, Some("started"));
    assert_eq!(noted.recv().await, None, "what was never started holds nothing any more");
    admit.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_starts_in_the_order_it_came_however_turns_end_meanwhile() {
    let lane = Arc::new(Lane::new(Handle::current(), |_| {}));
    let (note, mut started) = mpsc::unbounded_channel();
    let pushing = std::thread::spawn(move || {
        for number in 0..20_000 {
            let note = note.clone();
            let turn = if number % 3 == 0 { Turn::Own } else { Turn::Beside };
            lane.push(turn, move || {
                let _ = note.send(number);
                Started::now(async { None })
            });
        }
    });
    for number in 0..20_000 {
        assert_eq!(started.recv().await, Some(number));
    }
    pushing.join().unwrap();
}
