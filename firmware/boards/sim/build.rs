//! Tells the simulated board which build it is.

#[path = "../build_identity.rs"]
mod build_identity;

fn main() {
    build_identity::emit();
}
