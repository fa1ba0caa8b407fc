//! Prints the CustomResourceDefinitions.
#![forbid(unsafe_code)]

fn main() {
    for crd in api::crds::all() {
        println!("{}", serde_json::to_string_pretty(&crd).unwrap_or_default());
    }
}
