//! Whatever is wrong with what users or backends send: the condition says what, where and what to do, and the Secret that an
//! earlier sync wrote stays as it is, to the byte and to the resource version.
//!
//! The webhook is not installed here: these are the controller's own refusals. The webhook's are in `admission.rs`.

mod support;

use std::{net::TcpListener, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, api::ApiResource, core::GroupVersionKind};
use serde_json::{Value, json};
use support::{
    Ready, SOON, Scene, data,
    manifest::{cluster_secret_store, external_secret, fake, reads, reads_cluster, secret, secret_store, vault, with},
    says, version,
};
use tests::{Binary, OpenBao, Result, wait};

/// Longer than any test.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Gives `app` another spec, and returns what it then says; the Secret must be as before.
async fn refused(scene: &Scene, before: &Secret, spec: &Value, code: &str) -> Result<String> {
    scene.apply(&external_secret("app", spec)).await?;
    let Ready { message, .. } = scene.fails("app", code).await?;
    scene.is_untouched(before).await?;
    Ok(message)
}

/// The spec that all Vault cases begin with.
fn reads_vault(key: &str) -> Value {
    reads("vault", &[("password", key)])
}

/// A namespace with a token that may read below `secret/NAMESPACE`, and the store `vault` that uses it.
async fn with_vault(scene: &Scene) -> Result<&'static OpenBao> {
    let bao = scene.bed.bao().await?;
    let rules = format!(r#"path "secret/data/{}/*" {{ capabilities = ["read"] }}"#, scene.namespace);
    bao.policy(&scene.namespace, &rules).await?;
    bao.put(&format!("secret/{}/db", scene.namespace), &json!({"user": "app", "password": "from vault"})).await?;
    let token = bao.token(&[&scene.namespace], TOKEN_LIFE).await?;
    scene.apply(&secret("token", &[("token", &token)])).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    Ok(bao)
}

#[tokio::test]
async fn wrong_vault_token_is_told_by_store_and_external_secret() -> Result {
    let (scene, before) = Scene::synced("wrong-token").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&secret("token", &[("token", "s.wrongtoken")])).await?;
    scene.apply(&secret_store("vault", &vault(&bao.address))).await?;
    let store = scene.store_fails("SecretStore", "vault", "VaultLoginDenied").await?;
    says(&store.message, &[&bao.address, "token", "spec.provider.vault.auth"]);
    assert!(!store.message.contains("s.wrongtoken"), "{}", store.message);
    let message = refused(&scene, &before, &reads_vault("any"), "StoreNotReady").await?;
    says(&message, &["SecretStore \"vault\"", "VaultLoginDenied"]);
    Ok(())
}

#[tokio::test]
async fn token_that_was_revoked_after_the_store_became_valid_is_told_with_the_entry() -> Result {
    let (scene, before) = Scene::synced("revoked").await?;
    let bao = with_vault(&scene).await?;
    scene.store_is_valid("SecretStore", "vault").await?;
    let token = data(&scene.secrets().get("token").await?).remove("token").unwrap_or_default();
    bao.write("auth/token/revoke", &json!({"token": token})).await?;
    scene.apply(&external_secret("app", &reads_vault(&format!("{}/db", scene.namespace)))).await?;
    let failed = wait::object(&scene.ours("ExternalSecret"), "app", "to fail", SOON, |object| {
        Ready::of(object).is_some_and(|ready| ready.status == "False")
    })
    .await?;
    let ready = Ready::of(&failed).unwrap_or_default();
    assert_eq!(ready.reason, "SecretSyncedError");
    assert!(["VaultPermissionDenied: ", "VaultLoginDenied: "].iter().any(|code| ready.message.starts_with(code)));
    says(&ready.message, &["spec."]);
    assert!(!ready.message.contains(&token), "{}", ready.message);
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn missing_vault_role_is_named() -> Result {
    let (scene, before) = Scene::synced("missing-role").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reader"}})).await?;
    let auth = json!({"vault": {"auth": {
        "tokenSecretRef": null,
        "kubernetes": {"mountPath": "kubernetes", "role": "no-such-role", "serviceAccountRef": {"name": "reader"}},
    }}});
    scene.apply(&secret_store("vault", &with(vault(&bao.address), &auth))).await?;
    let store = scene.store_fails("SecretStore", "vault", "VaultLoginDenied").await?;
    says(&store.message, &["no-such-role", "kubernetes", "reader"]);
    let message = refused(&scene, &before, &reads_vault("any"), "StoreNotReady").await?;
    says(&message, &["VaultLoginDenied", "no-such-role"]);
    Ok(())
}

#[tokio::test]
async fn path_that_the_policy_does_not_allow_is_named() -> Result {
    let (scene, before) = Scene::synced("wrong-path").await?;
    with_vault(&scene).await?;
    let message = refused(&scene, &before, &reads_vault("another-team/db"), "VaultPermissionDenied").await?;
    says(&message, &["spec.data[0]", "secret/data/another-team/db", "policy", "read"]);
    Ok(())
}

#[tokio::test]
async fn engine_that_is_not_mounted_is_named() -> Result {
    let (scene, before) = Scene::synced("wrong-mount").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
    let elsewhere = json!({"vault": {"path": "no-such-engine"}});
    scene.apply(&secret_store("vault", &with(vault(&bao.address), &elsewhere))).await?;
    let message = refused(&scene, &before, &reads_vault("db"), "VaultRequestInvalid").await?;
    says(&message, &["spec.data[0]", "no-such-engine/data/db", "check spec.provider.vault.path"]);
    Ok(())
}

#[tokio::test]
async fn missing_key_is_named_with_its_entry_and_store() -> Result {
    let (scene, before) = Scene::synced("missing-key").await?;
    with_vault(&scene).await?;
    let absent = format!("{}/absent", scene.namespace);
    let message = refused(&scene, &before, &reads_vault(&absent), "RemoteSecretMissing").await?;
    says(&message, &["spec.data[0]", &absent, "SecretStore \"vault\"", "create it or correct remoteRef.key"]);
    Ok(())
}

#[tokio::test]
async fn missing_property_is_named() -> Result {
    let (scene, before) = Scene::synced("missing-property").await?;
    with_vault(&scene).await?;
    let key = format!("{}/db", scene.namespace);
    let entry = json!({"secretKey": "password", "remoteRef": {"key": key, "property": "passwort"}});
    let spec = json!({"secretStoreRef": {"name": "vault"}, "data": [entry]});
    let message = refused(&scene, &before, &spec, "RemotePropertyMissing").await?;
    says(&message, &["spec.data[0]", "\"passwort\"", &key]);
    assert!(!message.contains("from vault"), "{message}");
    Ok(())
}

#[tokio::test]
async fn every_wrong_entry_is_told_at_once() -> Result {
    let (scene, before) = Scene::synced("wrong-entries").await?;
    let spec = reads("store", &[("a", "absent-a"), ("password", "password"), ("b", "absent-b")]);
    let message = refused(&scene, &before, &spec, "RemoteSecretMissing").await?;
    says(&message, &["spec.data[0]", "absent-a", "spec.data[2]", "absent-b"]);
    Ok(())
}

#[tokio::test]
async fn unreachable_server_is_told_with_its_address() -> Result {
    let (scene, before) = Scene::synced("unreachable").await?;
    let address = format!("http://127.0.0.1:{}", scene.bed.unused_port()?);
    scene.apply(&secret("token", &[("token", "any")])).await?;
    scene.apply(&secret_store("vault", &vault(&address))).await?;
    let store = scene.store_fails("SecretStore", "vault", "VaultUnreachable").await?;
    says(&store.message, &[&address]);
    let message = refused(&scene, &before, &reads_vault("any"), "StoreNotReady").await?;
    says(&message, &["SecretStore \"vault\"", "VaultUnreachable", &address]);
    Ok(())
}

#[tokio::test]
async fn server_whose_authority_is_not_trusted_is_told_with_what_to_set() -> Result {
    let (scene, before) = Scene::synced("untrusted").await?;
    let bao = scene.bed.bao().await?;
    scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
    scene.apply(&secret_store("vault", &vault(&bao.tls_address))).await?;
    let store = scene.store_fails("SecretStore", "vault", "VaultUntrusted").await?;
    says(&store.message, &["caBundle", "caProvider"]);
    let message = refused(&scene, &before, &reads_vault("any"), "StoreNotReady").await?;
    says(&message, &["VaultUntrusted"]);

    // With the authority named, the same store works, so that nothing else was wrong.
    let key = format!("{}/db", scene.namespace);
    bao.put(&format!("secret/{key}"), &json!({"password": "over TLS"})).await?;
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ca"}, "data": {"ca.crt": scene.bed.ca_pem()}});
    scene.apply(&map).await?;
    let trusted = json!({"vault": {"caProvider": {"type": "ConfigMap", "name": "ca", "key": "ca.crt"}}});
    scene.apply(&secret_store("vault", &with(vault(&bao.tls_address), &trusted))).await?;
    let entry = json!({"secretKey": "password", "remoteRef": {"key": key, "property": "password"}});
    let spec = json!({"secretStoreRef": {"name": "vault"}, "data": [entry]});
    scene.apply(&external_secret("app", &spec)).await?;
    scene.holds("app", &[("password", "over TLS")]).await?;
    Ok(())
}

#[tokio::test]
async fn store_that_does_not_exist_is_named_with_its_kind() -> Result {
    let (scene, before) = Scene::synced("no-store").await?;
    let message = refused(&scene, &before, &reads("nosuch", &[("password", "password")]), "StoreNotFound").await?;
    says(&message, &["SecretStore \"nosuch\"", "does not exist", "secretStoreRef"]);
    let cluster = scene.unique("nosuch");
    scene.apply(&external_secret("fresh", &reads_cluster(&cluster, &[("password", "password")]))).await?;
    says(&scene.fails("fresh", "StoreNotFound").await?.message, &["ClusterSecretStore", &cluster]);
    assert!(scene.secrets().get_opt("fresh").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn external_secret_with_a_store_of_another_class_is_left_to_the_other_operator() -> Result {
    let (scene, before) = Scene::synced("other-class").await?;
    let theirs =
        with(secret_store("theirs", &fake(&[("password", "theirs")])), &json!({"spec": {"controller": "blue"}}));
    scene.apply(&theirs).await?;
    let status = scene.is_synced("app").await?.data["status"].clone();
    let looked_at = scene.reconciles("app").await?;
    scene.apply(&external_secret("app", &reads("theirs", &[("password", "password")]))).await?;
    scene.is_looked_at("app", looked_at).await?;
    let app = scene.ours("ExternalSecret").get("app").await?;
    assert_eq!(app.data["status"], status, "the status belongs to the other operator");
    scene.is_untouched(&before).await?;

    // One that never was ours gets no status at all.
    scene.apply(&external_secret("fresh", &reads("theirs", &[("password", "password")]))).await?;
    scene.is_looked_at("fresh", 0.0).await?;
    assert!(scene.ours("ExternalSecret").get("fresh").await?.data.get("status").is_none());
    assert!(scene.secrets().get_opt("fresh").await?.is_none());
    assert!(scene.ours("SecretStore").get("theirs").await?.data.get("status").is_none());
    Ok(())
}

/// The spec of `app` with a template.
fn templated(template: &Value) -> Value {
    with(reads("store", &[("password", "password")]), &json!({"target": {"template": template}}))
}

#[tokio::test]
async fn template_that_cannot_be_parsed_is_told_with_its_field() -> Result {
    let (scene, before) = Scene::synced("template-syntax").await?;
    let spec = templated(&json!({"data": {"url": "postgres://{{ .password "}}));
    let message = refused(&scene, &before, &spec, "TemplateInvalid").await?;
    says(&message, &["spec.target.template.data[url]"]);
    assert!(!message.contains("first"), "{message}");
    Ok(())
}

#[tokio::test]
async fn unknown_template_function_is_named() -> Result {
    let (scene, before) = Scene::synced("template-function").await?;
    let spec = templated(&json!({"data": {"url": "{{ .password | base46 }}"}}));
    let message = refused(&scene, &before, &spec, "TemplateInvalid").await?;
    says(&message, &["spec.target.template.data[url]", "base46"]);
    Ok(())
}

#[tokio::test]
async fn key_that_a_template_misses_is_named() -> Result {
    let (scene, before) = Scene::synced("template-key").await?;
    let spec = templated(&json!({"data": {"url": "{{ .user }}:{{ .password }}"}}));
    let message = refused(&scene, &before, &spec, "TemplateMissingKey").await?;
    says(&message, &["spec.target.template.data[url]", "user"]);
    assert!(!message.contains("first"), "{message}");
    Ok(())
}

#[tokio::test]
async fn template_source_that_does_not_exist_is_named() -> Result {
    let (scene, before) = Scene::synced("template-source").await?;
    let items = json!({"name": "absent", "items": [{"key": "config"}]});
    let message =
        refused(&scene, &before, &templated(&json!({"templateFrom": [{"configMap": items}]})), "ReferenceNotFound")
            .await?;
    says(&message, &["spec.target.template.templateFrom[0]", "absent"]);
    scene.apply(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "absent"}, "data": {}})).await?;
    scene.force_sync("app").await?;
    let Ready { message, .. } = scene.fails("app", "ReferenceKeyMissing").await?;
    says(&message, &["\"config\""]);
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn second_external_secret_for_one_target_is_refused() -> Result {
    let (scene, before) = Scene::synced("duplicate").await?;
    scene.apply(&secret_store("other-store", &fake(&[("password", "another")]))).await?;
    let spec = with(reads("other-store", &[("password", "password")]), &json!({"target": {"name": "app"}}));
    scene.apply(&external_secret("second", &spec)).await?;
    let ready = scene.fails("second", "TargetOwnedByAnother").await?;
    says(&ready.message, &[&format!("secret {}/app", scene.namespace), "externalsecret \"app\"", "spec.target.name"]);
    scene.is_untouched(&before).await?;
    scene.is_synced("app").await?;

    // Nor may it write there under another policy.
    let merging = with(spec, &json!({"target": {"creationPolicy": "Merge"}}));
    let looked_at = scene.failures("second").await?;
    scene.apply(&external_secret("second", &merging)).await?;
    scene.has_failed("second", looked_at + 1.0).await?;
    scene.fails("second", "TargetOwnedByAnother").await?;
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn target_of_another_controller_is_not_taken_over() -> Result {
    let (scene, _) = Scene::synced("foreign-owner").await?;
    let config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}});
    let owner = scene.apply(&config_map).await?;
    let reference = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid, "controller": true,
    });
    let metadata = json!({"metadata": {"ownerReferences": [reference]}});
    scene.apply(&with(secret("theirs", &[("password", "theirs")]), &metadata)).await?;
    let before = scene.secrets().get("theirs").await?;
    let spec = with(reads("store", &[("password", "password")]), &json!({"target": {"name": "theirs"}}));
    scene.apply(&external_secret("second", &spec)).await?;
    let ready = scene.fails("second", "TargetNotOurs").await?;
    says(&ready.message, &["ConfigMap \"owner\"", "creationPolicy Merge"]);
    // The managed label comes on whatever is there, as upstream puts it; nothing else of it changes.
    let after = scene.secrets().get("theirs").await?;
    assert_eq!(data(&after), data(&before));
    assert_eq!(after.metadata.owner_references, before.metadata.owner_references);
    assert_eq!(after.metadata.annotations, before.metadata.annotations);
    assert_eq!(
        after.metadata.labels.into_iter().flatten().collect::<Vec<_>>(),
        [(api::names::MANAGED_LABEL.to_owned(), "true".to_owned())]
    );
    Ok(())
}

#[tokio::test]
async fn namespace_that_a_cluster_store_does_not_allow_is_told() -> Result {
    let (scene, before) = Scene::synced("not-allowed").await?;
    let name = scene.unique("private");
    let limited = json!({"spec": {"conditions": [{"namespaces": ["somewhere-else"]}]}});
    scene.apply(&with(cluster_secret_store(&name, &fake(&[("password", "private")])), &limited)).await?;
    scene.store_is_valid("ClusterSecretStore", &name).await?;
    let message =
        refused(&scene, &before, &reads_cluster(&name, &[("password", "password")]), "StoreNotAllowed").await?;
    says(&message, &["ClusterSecretStore", &name, &scene.namespace, "spec.conditions"]);
    Ok(())
}

#[tokio::test]
async fn secret_store_that_names_another_namespace_makes_no_call() -> Result {
    let (scene, before) = Scene::synced("wall").await?;
    let elsewhere = scene.bed.namespace("behind-the-wall").await?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret"));
    let theirs: Api<kube::api::DynamicObject> = Api::namespaced_with(scene.client.clone(), &elsewhere, &resource);
    let token = serde_json::from_value(secret("token", &[("token", "theirs")]))?;
    theirs.create(&kube::api::PostParams::default(), &token).await?;

    let server = TcpListener::bind("127.0.0.1:0")?;
    server.set_nonblocking(true)?;
    let mark = scene.bed.api_mark().await?;
    let reaching = json!({"vault": {"auth": {"tokenSecretRef": {"namespace": elsewhere}}}});
    let provider = with(vault(&format!("http://{}", server.local_addr()?)), &reaching);
    scene.apply(&secret_store("vault", &provider)).await?;
    let store = scene.store_fails("SecretStore", "vault", "NamespaceForbidden").await?;
    says(&store.message, &["auth.tokenSecretRef.namespace", &elsewhere, "ClusterSecretStore"]);
    let message = refused(&scene, &before, &reads_vault("any"), "StoreNotReady").await?;
    says(&message, &["NamespaceForbidden"]);

    let reached = scene.bed.api_requests_since(mark).await?.of(Binary::Controller).in_namespace(&elsewhere);
    assert!(reached.is_empty(), "{reached}");
    let called = server.accept().map(|(_, peer)| peer);
    assert_eq!(called.map_err(|error| error.kind()), Err(std::io::ErrorKind::WouldBlock), "the server was called");
    Ok(())
}

#[tokio::test]
async fn spec_that_this_build_cannot_act_on_is_refused_by_field() -> Result {
    let (scene, before) = Scene::synced("not-yet").await?;
    let windows = json!({"kind": "deny", "windows": [{"schedule": "0 0 * * *", "duration": "1h"}]});
    let spec = with(reads("store", &[("password", "password")]), &json!({"syncWindows": windows}));
    let message = refused(&scene, &before, &spec, "SpecInvalid").await?;
    says(&message, &["spec.syncWindows"]);
    Ok(())
}

#[tokio::test]
async fn values_that_cannot_become_the_secret_are_told_without_showing_them() -> Result {
    let (scene, before) = Scene::synced("bad-values").await?;
    let entries = [("password", "first"), ("text", "!!canary!!"), ("object", r#"{"a/b":"canary","a b":"canary"}"#)];
    scene.apply(&secret_store("store", &fake(&entries))).await?;
    let remote = |remote: &Value| json!({"secretKey": "password", "remoteRef": remote});
    let one = |entry: Value| json!({"secretStoreRef": {"name": "store"}, "data": [entry]});
    let extract = |remote: &Value| json!({"secretStoreRef": {"name": "store"}, "dataFrom": [{"extract": remote}]});
    let rewrite = json!([{"regexp": {"source": "b", "target": "/"}}]);
    let cases = [
        (one(remote(&json!({"key": "text", "decodingStrategy": "Base64"}))), "DecodingFailed", "\"password\""),
        (one(remote(&json!({"key": "text", "property": "a"}))), "RemoteSecretMissing", "\"a\""),
        (extract(&json!({"key": "text"})), "RemoteValueInvalid", "\"text\""),
        (extract(&json!({"key": "object"})), "KeyConflict", "\"a_b\""),
        (
            with(
                extract(&json!({"key": "object"})),
                &json!({"dataFrom": [{"extract": {"key": "object"}, "rewrite": rewrite}]}),
            ),
            "KeyInvalid",
            "rewrite",
        ),
    ];
    for (spec, code, word) in cases {
        let message = refused(&scene, &before, &spec, code).await?;
        says(&message, &["spec.data", word]);
        assert!(!message.contains("canary"), "{message}");
    }
    Ok(())
}

#[tokio::test]
async fn failure_that_repeats_is_written_once() -> Result {
    let (scene, before) = Scene::synced("repeated").await?;
    let missing_key = templated(&json!({"data": {"url": "{{ .user }}"}}));
    let taken = with(reads("store", &[("password", "password")]), &json!({"target": {"name": "app"}}));
    let cases = [
        ("no-store", reads("nosuch", &[("a", "password")]), "StoreNotFound"),
        ("no-key", reads("store", &[("a", "absent")]), "RemoteSecretMissing"),
        ("no-template-key", missing_key, "TemplateMissingKey"),
        ("taken", taken, "TargetOwnedByAnother"),
    ];
    for (name, spec, _) in &cases {
        scene.apply(&external_secret(name, spec)).await?;
    }
    let external_secrets = scene.ours("ExternalSecret");
    let mut versions = Vec::new();
    for (name, _, code) in &cases {
        scene.fails(name, code).await?;
        versions.push(version(&external_secrets.get(name).await?));
    }
    for ((name, _, _), written) in cases.iter().zip(versions) {
        // Retries come after about 1 s and 2 s more.
        scene.has_failed(name, 3.0).await?;
        assert_eq!(version(&external_secrets.get(name).await?), written, "{name}: the same failure was written again");
    }
    scene.is_untouched(&before).await
}

#[tokio::test]
async fn failure_ends_when_its_cause_does() -> Result {
    let (scene, before) = Scene::synced("mended").await?;
    refused(&scene, &before, &reads("store", &[("password", "renamed")]), "RemoteSecretMissing").await?;
    scene.apply(&secret_store("store", &fake(&[("renamed", "second")]))).await?;
    scene.holds("app", &[("password", "second")]).await?;
    scene.is_synced("app").await?;
    Ok(())
}
