//! What the demo prints: titles, commands as a user types them, what they answer, and how long things took.

use std::{
    fmt::Display,
    future::Future,
    io::{Write as _, stdout},
    time::Instant,
};

use tests::Result;

/// Wide enough for every act.
const WIDTH: usize = 76;

/// A line of its own.
pub fn say(text: &str) {
    println!("{text}");
}

/// The title of a step.
pub fn title(number: usize, text: &str) {
    println!("\n{number}. {text}");
}

/// Something that takes a while: what it is at once, the seconds when it is over.
pub async fn act<T>(what: impl Display, work: impl Future<Output = Result<T>>) -> Result<T> {
    print!("   {what:<WIDTH$}");
    // Somebody watches: the line must be there before the work is.
    stdout().flush()?;
    let started = Instant::now();
    let outcome = work.await?;
    println!("{:>5.1} s", started.elapsed().as_secs_f32());
    Ok(outcome)
}

/// A command as a user types it.
pub fn command(line: &str) {
    println!("   $ {line}");
}

/// What a command answered, indented.
pub fn answer(text: &str) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        println!("     {line}");
    }
}
