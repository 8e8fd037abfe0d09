//! Stories about the product, told without a network.

mod accounts;
mod folding;
mod invites;
mod membership;
mod posting;
mod reading;
mod support;
mod visitors;
