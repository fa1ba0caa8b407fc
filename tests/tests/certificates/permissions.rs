//! The cert-controller touches what it is named, with the roles of our manifests, and lists nothing.

use tests::{Bed, Binary, Result};

use crate::serving::{AUTHORITY, CONFIGURATIONS, SERVING, Serving, Setup};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_named_objects_are_asked_for_and_secrets_never_listed() -> Result {
    let bed = Bed::shared().await?;
    let serving = Serving::start(&Setup::default()).await?;
    let mark = bed.api_mark().await?;
    serving.rotate().await?;
    serving.told(1).await?;
    let mut serving = serving;
    serving.cert_controller.restart().await?;
    serving.rotate().await?;

    let requests = bed.api_requests_since(mark).await?.of(Binary::CertController);
    assert!(requests.verb("list").is_empty(), "{requests}");
    let refused = requests.filter(|request| request.status == 403);
    assert!(refused.is_empty(), "{refused}");
    let secrets = requests.resource("secrets");
    assert!(secrets.verb("watch").len() >= 2 && !secrets.verb("patch").is_empty(), "{secrets}");
    let strange = requests.filter(|request| {
        let field = request.path.split_once("fieldSelector=metadata.name%3D").map_or("", |(_, rest)| rest);
        let asked = if request.name.is_empty() { field.split('&').next().unwrap_or_default() } else { &request.name };
        let known = match request.resource.as_str() {
            "secrets" => [SERVING, AUTHORITY].contains(&asked) || request.verb == "create",
            "validatingwebhookconfigurations" => CONFIGURATIONS.contains(&asked),
            "customresourcedefinitions" => request.verb == "get" && asked.ends_with(".external-secrets.io"),
            _ => false,
        };
        !known
    });
    assert!(strange.is_empty(), "{strange}");
    Ok(())
}
