//! The documentation of the functions holds: its examples render what they say, and nothing is missing.

use template::{Data, EXAMPLE_DATA, Example, FunctionDoc, Limits, Options, Subject, Template};

fn render(example: &Example) -> String {
    let rendered = Template::parse("example", example.template.as_bytes(), &Limits::default())
        .and_then(|template| template.render(&Data::from_iter(EXAMPLE_DATA.iter().copied()), &Options::default()));
    match rendered {
        Ok(output) => String::from_utf8_lossy(&output).into_owned(),
        Err(error) => error.exact().to_owned(),
    }
}

fn documented() -> impl Iterator<Item = (&'static Subject, &'static FunctionDoc)> {
    template::subjects()
        .chain(template::method_subjects())
        .flat_map(|subject| subject.functions().map(move |function| (subject, function)))
}

#[test]
fn every_example_renders_what_it_says() {
    let wrong: Vec<String> = documented()
        .map(|(_, function)| (function, render(&function.example)))
        .filter(|(function, output)| function.example.output != output)
        .map(|(function, output)| format!("{}: {:?} gives {output:?}", function.name, function.example))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_uses_its_function() {
    for (subject, function) in documented() {
        let is_word = |char: char| char.is_alphanumeric() || char == '_';
        let mut words = function.example.template.split(|char| !is_word(char));
        assert!(words.any(|word| word == function.name), "{}: {}", subject.title, function.name);
    }
}

#[test]
fn every_function_is_described_in_sentences() {
    for (subject, FunctionDoc { name, doc, .. }) in documented() {
        let ends = doc.ends_with('.') || doc.ends_with(".**");
        assert!(ends && doc.len() > 8, "{}: {name}: {doc}", subject.title);
    }
}
