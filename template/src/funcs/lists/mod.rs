//! Lists. They never change; functions make new ones.

use super::Type::{Any, Bool, Int, List as ListType};
use super::{Function, doc};

mod elements;

pub(super) use elements::list;
use elements::{
    append, chunk, compact, concat, first, has, initial, last, prepend, rest, reverse, slice, uniq, without,
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::variadic(
        "list",
        &[],
        Any,
        ListType,
        doc("The arguments as a list.", r#"{{ list .host .port | join ":" }}"#, "db.example.com:5432"),
        |_, args| list(args.all().to_vec()),
    ),
    Function::variadic(
        "tuple",
        &[],
        Any,
        ListType,
        doc("Same as `list`.", r#"{{ tuple .user .host | join "@" }}"#, "app@db.example.com"),
        |_, args| list(args.all().to_vec()),
    ),
    Function::new(
        "first",
        &[Any],
        Any,
        doc(
            "The first element, or nil of an empty list. Fails for what is no list.",
            r#"{{ splitList "," .hosts | first }}"#,
            "db-1.example.com",
        ),
        |_, args| first(args, "first"),
    ),
    Function::new(
        "mustFirst",
        &[Any],
        Any,
        doc("Same as `first`.", r#"{{ mustFirst (splitList "," .hosts) }}"#, "db-1.example.com"),
        |_, args| first(args, "first"),
    ),
    Function::new(
        "last",
        &[Any],
        Any,
        doc(
            "The last element, or nil of an empty list. Fails for what is no list.",
            r#"{{ splitList "." .host | last }}"#,
            "com",
        ),
        |_, args| last(args, "last"),
    ),
    Function::new(
        "mustLast",
        &[Any],
        Any,
        doc("Same as `last`.", r#"{{ splitList "." .host | mustLast }}"#, "com"),
        |_, args| last(args, "last"),
    ),
    Function::new(
        "rest",
        &[Any],
        ListType,
        doc(
            "All elements but the first. Fails for what is no list.",
            r#"{{ splitList "." .host | rest | join "." }}"#,
            "example.com",
        ),
        rest,
    ),
    Function::new(
        "mustRest",
        &[Any],
        ListType,
        doc("Same as `rest`.", r#"{{ splitList "." .host | mustRest | join "." }}"#, "example.com"),
        rest,
    ),
    Function::new(
        "initial",
        &[Any],
        ListType,
        doc(
            "All elements but the last. Fails for what is no list.",
            r#"{{ splitList "." .host | initial | join "." }}"#,
            "db.example",
        ),
        initial,
    ),
    Function::new(
        "mustInitial",
        &[Any],
        ListType,
        doc("Same as `initial`.", r#"{{ splitList "." .host | mustInitial | join "." }}"#, "db.example"),
        initial,
    ),
    Function::new(
        "append",
        &[Any, Any],
        ListType,
        doc(
            "A new list with one element behind: list, element. Fails for what is no list.",
            r#"{{ append (splitList "," .hosts) "db-3.example.com" | last }}"#,
            "db-3.example.com",
        ),
        append,
    ),
    Function::new(
        "mustAppend",
        &[Any, Any],
        ListType,
        doc("Same as `append`.", r#"{{ mustAppend (list .user) "admin" | join "," }}"#, "app,admin"),
        append,
    ),
    Function::new(
        "push",
        &[Any, Any],
        ListType,
        doc("Same as `append`.", r#"{{ push (list .user) "admin" | join "," }}"#, "app,admin"),
        append,
    ),
    Function::new(
        "mustPush",
        &[Any, Any],
        ListType,
        doc("Same as `append`.", r#"{{ mustPush (list .user) "admin" | join "," }}"#, "app,admin"),
        append,
    ),
    Function::new(
        "prepend",
        &[Any, Any],
        ListType,
        doc(
            "A new list with one element before: list, element. Fails for what is no list.",
            r#"{{ prepend (list .user) "admin" | join "," }}"#,
            "admin,app",
        ),
        prepend,
    ),
    Function::new(
        "mustPrepend",
        &[Any, Any],
        ListType,
        doc("Same as `prepend`.", r#"{{ mustPrepend (list .user) "admin" | join "," }}"#, "admin,app"),
        prepend,
    ),
    Function::variadic(
        "concat",
        &[],
        Any,
        Any,
        doc(
            "The elements of all lists, in one. Fails for what is no list.",
            r#"{{ concat (splitList "," .hosts) (list .host) | len }} hosts"#,
            "4 hosts",
        ),
        concat,
    ),
    Function::new(
        "reverse",
        &[Any],
        ListType,
        doc(
            "The elements from the last to the first. Fails for what is no list.",
            r#"{{ splitList "." .host | reverse | join "." }}"#,
            "com.example.db",
        ),
        reverse,
    ),
    Function::new(
        "mustReverse",
        &[Any],
        ListType,
        doc("Same as `reverse`.", r#"{{ splitList "." .host | mustReverse | join "." }}"#, "com.example.db"),
        reverse,
    ),
    Function::new(
        "uniq",
        &[Any],
        ListType,
        doc(
            "The elements without repetitions, in the order of their first occurrence. Fails for what is no list.",
            r#"{{ splitList "," .hosts | uniq | join "," }}"#,
            "db-1.example.com,db-2.example.com",
        ),
        uniq,
    ),
    Function::new(
        "mustUniq",
        &[Any],
        ListType,
        doc("Same as `uniq`.", r#"{{ splitList "," .hosts | mustUniq | len }} hosts"#, "2 hosts"),
        uniq,
    ),
    Function::variadic(
        "without",
        &[Any],
        Any,
        ListType,
        doc(
            "The elements of the first argument that equal none of the others. Fails for what is no list.",
            r#"{{ without (splitList "," .hosts) "db-1.example.com" | join "," }}"#,
            "db-2.example.com",
        ),
        without,
    ),
    Function::variadic(
        "mustWithout",
        &[Any],
        Any,
        ListType,
        doc("Same as `without`.", r#"{{ mustWithout (list .user .empty) "" | join "," }}"#, "app"),
        without,
    ),
    Function::new(
        "has",
        &[Any, Any],
        Bool,
        doc(
            "Whether a list has an element: first the element, then the list. False for nil; fails for what else \
             is no list.",
            r#"{{ has "db-2.example.com" (splitList "," .hosts) }}"#,
            "true",
        ),
        has,
    ),
    Function::new(
        "mustHas",
        &[Any, Any],
        Bool,
        doc("Same as `has`.", r#"{{ splitList "," .hosts | mustHas .host }}"#, "false"),
        has,
    ),
    Function::new(
        "compact",
        &[Any],
        ListType,
        doc(
            "The elements that are not empty. Fails for what is no list.",
            r#"{{ list .user .empty .host | compact | join "@" }}"#,
            "app@db.example.com",
        ),
        compact,
    ),
    Function::new(
        "mustCompact",
        &[Any],
        ListType,
        doc("Same as `compact`.", "{{ list .user .empty .host | mustCompact | len }}", "2"),
        compact,
    ),
    Function::variadic(
        "slice",
        &[Any],
        Any,
        Any,
        doc(
            "The elements from a start, which defaults to 0, to before an end, which defaults to all: list, start, \
             end. Fails outside of the list and for a text, which `substr` cuts.",
            r#"{{ slice (splitList "," .hosts) 0 2 | join "," }}"#,
            "db-1.example.com,db-2.example.com",
        ),
        slice,
    ),
    Function::variadic(
        "mustSlice",
        &[Any],
        Any,
        Any,
        doc(
            "Same as `slice`.",
            r#"{{ mustSlice (splitList "," .hosts) 1 | join "," }}"#,
            "db-2.example.com,db-1.example.com",
        ),
        slice,
    ),
    Function::new(
        "chunk",
        &[Int, Any],
        Any,
        doc(
            "A list of lists of so many elements each, the last one of what is left: number, list. Fails for a \
             number below 1.",
            r#"{{ range chunk 2 (splitList "," .hosts) }}{{ join "," . }};{{ end }}"#,
            "db-1.example.com,db-2.example.com;db-1.example.com;",
        ),
        chunk,
    ),
    Function::new(
        "mustChunk",
        &[Int, Any],
        Any,
        doc("Same as `chunk`.", "{{ mustChunk 2 (list 1 2 3) | toJson }}", "[[1,2],[3]]"),
        chunk,
    ),
];
