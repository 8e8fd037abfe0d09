//! Says back what starts with `echo ` in every room it is in:
//!
//! ```text
//! ROOMFUL_TOKEN=… cargo run -p roomful-client --example echo_bot -- 127.0.0.1:3000 lobby
//! ```
//!
//! A server that speaks TLS is named by its address, such as `https://chat.example`.
//!
//! Without `ROOMFUL_TOKEN` it comes in as the guest Dot, where guests are admitted.

use client::protocol::Command;
use client::{Api, Client};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:3000".into());
    let token = match std::env::var("ROOMFUL_TOKEN") {
        Ok(token) => token,
        Err(_) => Api::new(&address).come_in("Dot").await?.token.ok_or("the server gave no token")?,
    };
    let dot = Client::connect(&address, token).await?;
    for name in args {
        let open = dot.list_rooms().await?.open;
        let room =
            open.iter().find(|room| room.name == name).ok_or_else(|| format!("no open room {name}"))?;
        dot.command(Command::JoinRoom { room: room.id }).await?;
    }
    println!("{} listens on {address}", dot.me().name);

    let mut events = dot.events();
    while let Some((room, message)) = events.next_message().await {
        if message.by.id == dot.me().id {
            continue;
        }
        if let Some(rest) = message.body.text.strip_prefix("echo ") {
            // In the outbox the answer survives lost connections, and the bot keeps listening meanwhile.
            dot.enqueue(room, rest).await?;
        }
    }
    Ok(())
}
