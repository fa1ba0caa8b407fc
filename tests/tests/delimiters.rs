//! Other delimiters than `{{ }}`, given to both processes: what the webhook reads as a template, the controller renders.
//!
//! A file, and so a bed, of its own: every object of its cluster is judged by this webhook.

mod support;

use std::time::Duration;

use serde_json::json;
use support::{
    SOON, Scene,
    manifest::{external_secret, fake, reads, secret_store, with},
    says,
};
use tests::{Binary, Result, wait};

const FLAGS: [&str; 2] = ["--template-left-delimiter=<<", "--template-right-delimiter=>>"];

#[tokio::test]
async fn templates_are_judged_by_the_delimiters_that_render_them() -> Result {
    let scene = Scene::without_controller("delimited").await?;
    let _admission = scene.bed.admission_with(Duration::ZERO, &FLAGS).await?;
    let _controller = scene.bed.operator(Binary::Controller, &FLAGS).await?;
    scene.apply(&secret_store("store", &fake(&[("user", "bob")]))).await?;
    let shaped = |text: &str| {
        let template = json!({"data": {"url": text}});
        with(reads("store", &[("user", "user")]), &json!({"target": {"template": template}}))
    };
    wait::until("the webhook to refuse", SOON, || async {
        match scene.apply(&external_secret("bad", &shaped("ok\n<< .user | nosuch >>"))).await {
            Ok(_) => Err("it was admitted".to_owned()),
            Err(failure) => {
                let said = failure.to_string();
                let is_refusal =
                    said.contains("spec.target.template.data[url]: line 2: function \"nosuch\" not defined");
                if is_refusal { Ok(()) } else { Err(said) }
            }
        }
    })
    .await?;
    let unclosed = scene.apply(&external_secret("bad", &shaped("<< .user"))).await.map(drop);
    says(
        &unclosed.expect_err("an action that is not closed").to_string(),
        &["spec.target.template.data[url]", "line 1"],
    );

    scene.apply(&external_secret("app", &shaped("{{ nosuch }} << .user | upper >> {{"))).await?;
    scene.holds("app", &[("url", "{{ nosuch }} BOB {{")]).await?;
    Ok(())
}
