//! The figures of `docs/performance.md` that are measured without a browser.
//!
//! `cargo bench -p roomful-server --bench figures [-- start|full|idle|pages|posting|postgres …]`

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so by ending")]

mod bare;
mod pages;
mod postgres;
mod posting;
mod program;
mod start;
mod wire;

use std::time::Duration;

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        if wanted("start") {
            start::cold();
        }
        if wanted("full") {
            start::full().await;
        }
        if wanted("posting") {
            posting::end_to_end().await;
        }
        if wanted("pages") {
            pages::in_a_large_room().await;
        }
        if wanted("postgres") {
            postgres::posting().await;
            postgres::pages().await;
        }
        if wanted("idle") {
            start::idle(Duration::from_secs(60)).await;
        }
    });
}

/// The middle of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The figure that `share` of all do not pass.
fn quantile(figures: &mut [f64], share: f64) -> f64 {
    figures.sort_by(f64::total_cmp);
    let index = ((figures.len() as f64 * share) as usize).min(figures.len().saturating_sub(1));
    figures.get(index).copied().unwrap_or(f64::NAN)
}
