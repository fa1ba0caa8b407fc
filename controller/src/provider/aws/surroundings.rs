//! What this process's environment says of AWS, read once at start: addresses, how endpoints are chosen, and the Pod's own
//! identity. Credentials of stores are never taken from here.

use std::{ffi::OsString, fs};

/// Addresses that replace those of AWS.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Endpoints {
    pub secrets_manager: Option<String>,
    pub ssm: Option<String>,
    pub sts: Option<String>,
}

impl Endpoints {
    /// From `AWS_SECRETSMANAGER_ENDPOINT`, `AWS_SSM_ENDPOINT` and `AWS_STS_ENDPOINT`, the names that the Go operator reads.
    pub fn from_env() -> Self {
        let read = |name| std::env::var(name).ok().filter(|url| !url.is_empty());
        Self {
            secrets_manager: read("AWS_SECRETSMANAGER_ENDPOINT"),
            ssm: read("AWS_SSM_ENDPOINT"),
            sts: read("AWS_STS_ENDPOINT"),
        }
    }
}

/// Which endpoints of AWS are called, and whose certificates are believed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reach {
    /// Endpoints whose cryptography is validated.
    pub fips: bool,
    /// Endpoints that also have an IPv6 address.
    pub dual_stack: bool,
    /// Certificates of the only authorities that are believed (PEM), or why the file that names them cannot be read.
    pub authorities: Option<Result<Vec<u8>, String>>,
}

impl Reach {
    /// From `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT` and `AWS_CA_BUNDLE`, the names that every SDK reads.
    pub fn from_env() -> Self {
        Self::from(|name| std::env::var_os(name).filter(|value| !value.is_empty()))
    }

    fn from(read: impl Fn(&str) -> Option<OsString>) -> Self {
        let is_true = |name| read(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let authorities = read("AWS_CA_BUNDLE").map(|path| {
            fs::read(&path).map_err(|error| format!("AWS_CA_BUNDLE: {} cannot be read: {error}", path.display()))
        });
        Self { fips: is_true("AWS_USE_FIPS_ENDPOINT"), dual_stack: is_true("AWS_USE_DUALSTACK_ENDPOINT"), authorities }
    }
}

/// What the environment says of this process's own Pod.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Pod {
    /// Whether it was given an identity of its own: IRSA or Pod Identity.
    pub has_identity: bool,
    /// Whether callers of STS go to the endpoint of their region even where there is a global one.
    pub regional_sts: bool,
}

impl Pod {
    /// From the variables that EKS sets in Pods with an identity.
    pub fn from_env() -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let has_role = is_set("AWS_ROLE_ARN") && is_set("AWS_WEB_IDENTITY_TOKEN_FILE");
        let regional = std::env::var("AWS_STS_REGIONAL_ENDPOINTS").is_ok_and(|kind| kind == "regional");
        Self { has_identity: has_role || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI"), regional_sts: regional }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reach_is_read_as_sdks_read_it() {
        let reach = Reach::from(|name| match name {
            "AWS_USE_FIPS_ENDPOINT" => Some("TRUE".into()),
            "AWS_USE_DUALSTACK_ENDPOINT" => Some("1".into()),
            _ => Some("/no/such/file".into()),
        });
        assert!(reach.fips && !reach.dual_stack);
        let problem = reach.authorities.unwrap().unwrap_err();
        assert!(problem.contains("AWS_CA_BUNDLE") && problem.contains("/no/such/file"), "{problem}");
        assert_eq!(Reach::from(|_| None), Reach::default());
    }
}
