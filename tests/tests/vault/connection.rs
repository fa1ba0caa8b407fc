//! The way to the server: namespaces and proxies.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;
use support::{
    Scene,
    manifest::{external_secret, reads, secret, secret_store, vault, with},
};
use tests::{Binary, Failure, Result};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::support;

#[tokio::test]
async fn login_may_be_in_another_namespace_than_the_engine() -> Result {
    let scene = Scene::new("namespaces").await?;
    let (bao, org) = (scene.bed.bao().await?, scene.unique("org"));
    bao.write(&format!("sys/namespaces/{org}"), &json!({})).await?;
    bao.write(&format!("{org}/sys/namespaces/team"), &json!({})).await?;
    bao.write(&format!("{org}/team/sys/mounts/secret"), &json!({"type": "kv", "options": {"version": "1"}})).await?;
    bao.write(&format!("{org}/team/secret/db"), &json!({"password": "deep"})).await?;
    let rules = r#"path "team/secret/db" { capabilities = ["read"] }"#;
    bao.write(&format!("{org}/sys/policies/acl/reader"), &json!({"policy": rules})).await?;
    bao.write(&format!("{org}/sys/auth/userpass"), &json!({"type": "userpass"})).await?;
    let user = json!({"password": "p", "token_policies": ["reader"], "token_ttl": "1h"});
    bao.write(&format!("{org}/auth/userpass/users/app"), &user).await?;

    let mark = bao.mark();
    scene.apply(&secret("password", &[("password", "p")])).await?;
    let auth = json!({
        "namespace": org,
        "userPass": {"path": "userpass", "username": "app", "secretRef": {"name": "password", "key": "password"}},
    });
    let provider = json!({"vault": {
        "server": bao.address, "path": "secret", "version": "v1", "namespace": format!("{org}/team"), "auth": auth,
    }});
    scene.apply(&secret_store("store", &provider)).await?;
    let remote = json!({"data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]});
    scene.apply(&external_secret("app", &with(reads("store", &[]), &remote))).await?;
    scene.holds("app", &[("password", "deep")]).await?;
    scene.store_is_valid("SecretStore", "store").await?;
    let requests = bao.requests_since(mark)?;
    let logins = requests.logins().filter(|login| login.namespace.trim_end_matches('/') == org);
    assert_eq!(logins.len(), 1, "{requests}");
    let deep = format!("{org}/team");
    let reads = requests.filter(|read| read.path == "secret/db" && read.namespace.trim_end_matches('/') == deep);
    assert_eq!(reads.len(), 1, "{requests}");
    Ok(())
}

/// A proxy for plain HTTP that notes whom it was asked for.
async fn proxy() -> Result<(String, Arc<Mutex<Vec<String>>>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = format!("http://{}", listener.local_addr()?);
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(forward(stream, noted.clone()));
        }
    });
    Ok((address, asked))
}

/// The server understands requests as proxies get them, so that nothing need be changed; of a tunnel it sees nothing.
async fn forward(stream: TcpStream, asked: Arc<Mutex<Vec<String>>>) -> Result {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    if let Some(target) = line.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) {
        asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("CONNECT {target}"));
        let mut server = TcpStream::connect(target).await?;
        let mut header = String::from("…");
        while !header.trim_end().is_empty() {
            header.clear();
            stream.read_line(&mut header).await?;
        }
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        copy_bidirectional(&mut stream, &mut server).await?;
        return Ok(());
    }
    let target = line.split(' ').nth(1).and_then(|target| target.strip_prefix("http://"));
    let target = target.and_then(|target| target.split('/').next());
    let target = target.ok_or_else(|| Failure::new(format!("not for a proxy: {line}")))?.to_owned();
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(target.clone());
    let mut server = TcpStream::connect(target).await?;
    server.write_all(line.as_bytes()).await?;
    copy_bidirectional(&mut stream, &mut server).await?;
    Ok(())
}

#[tokio::test]
async fn proxy_of_the_environment_is_used_except_for_what_it_excludes() -> Result {
    let scene = Scene::without_controller("proxy").await?;
    let bao = scene.bed.bao().await?;
    let path = scene.unique("entry");
    bao.put(&format!("secret/{path}"), &json!({"a": "first"})).await?;
    bao.policy(&path, &format!(r#"path "secret/data/{path}" {{ capabilities = ["read"] }}"#)).await?;
    let token = bao.token(&[&path], std::time::Duration::from_hours(1)).await?;
    scene.apply(&secret("token", &[("token", &token)])).await?;
    let (proxy, asked) = proxy().await?;
    let variables = [("HTTP_PROXY", proxy.as_str()), ("NO_PROXY", "127.0.0.1")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let flags = ["--namespace", &scene.namespace, "--controller-class", &scene.namespace];
    let _controller = scene.bed.operator_with(Binary::Controller, &flags, &variables).await?;
    for (name, host) in [("direct", "127.0.0.1"), ("behind", "localhost")] {
        let server = bao.address.replace("127.0.0.1", host);
        let class = json!({"spec": {"controller": scene.namespace}});
        scene.apply(&with(secret_store(name, &vault(&server)), &class)).await?;
        scene.apply(&external_secret(name, &reads(name, &[("a", &path)]))).await?;
        scene.holds(name, &[("a", r#"{"a":"first"}"#)]).await?;
    }
    let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let expected = bao.address.replace("http://127.0.0.1", "localhost");
    assert!(!asked.is_empty() && asked.iter().all(|target| *target == expected), "{asked:?}");
    Ok(())
}

#[tokio::test]
async fn proxy_of_the_environment_leads_to_the_cluster_too_unless_it_is_excluded() -> Result {
    let scene = Scene::without_controller("tunnel").await?;
    let api_server = scene.bed.server().trim_start_matches("https://").to_owned();
    for (excluded, expected) in [("", true), ("127.0.0.1", false)] {
        let (proxy, asked) = proxy().await?;
        let variables = [("HTTPS_PROXY", proxy.as_str()), ("NO_PROXY", excluded)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        // It is ready once it has listed what it works with.
        let _controller =
            scene.bed.operator_with(Binary::Controller, &["--namespace", &scene.namespace], &variables).await?;
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let tunnels = asked.iter().filter(|target| **target == format!("CONNECT {api_server}")).count();
        assert_eq!((tunnels > 0, tunnels), (expected, asked.len()), "NO_PROXY={excluded:?}: {asked:?}");
    }
    Ok(())
}

#[tokio::test]
async fn state_of_the_storage_that_a_server_tells_is_taken_back_by_it() -> Result {
    let scene = Scene::new("states").await?;
    let bao = scene.bed.lasting_bao().await?;
    bao.put("app", &json!({"a": "first"})).await?;
    scene.apply(&secret("token", &[("token", &bao.root_token)])).await?;
    let consistent = json!({"vault": {"readYourWrites": true, "forwardInconsistent": true}});
    scene.apply(&secret_store("store", &with(vault(&bao.address), &consistent))).await?;
    let spec = with(reads("store", &[("a", "app")]), &json!({"refreshInterval": "1s"}));
    scene.apply(&external_secret("app", &spec)).await?;
    scene.holds("app", &[("a", r#"{"a":"first"}"#)]).await?;
    bao.put("app", &json!({"a": "second"})).await?;
    scene.holds("app", &[("a", r#"{"a":"second"}"#)]).await?;
    Ok(())
}
