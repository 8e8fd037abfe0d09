//! The gateways: each translates one wire protocol between sockets and the product.

mod admission;
mod lane;
mod native;
mod simple;
mod upgrade;

pub use upgrade::routes;
