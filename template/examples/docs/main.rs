//! Writes `docs/templates.md` to standard output: `cargo run -p template --example docs`.

mod page;

fn main() {
    print!("{}", page::page());
}
