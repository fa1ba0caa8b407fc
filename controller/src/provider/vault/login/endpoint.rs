//! Logins that `vaultrs` has no type for, or one that is wrong: a JSON body sent to a path below `auth/`.

use rustify::{
    endpoint::Endpoint,
    enums::{RequestMethod, RequestType, ResponseType},
    errors::ClientError,
};
use serde::Serialize;

/// See the module documentation.
pub struct Login<B> {
    /// Below `auth/`, such as `ldap/login/alice`.
    pub path: String,
    pub body: B,
}

impl<B: Serialize + Send + Sync> Endpoint for Login<B> {
    type Response = serde_json::Value;

    const REQUEST_BODY_TYPE: RequestType = RequestType::JSON;
    const RESPONSE_BODY_TYPE: ResponseType = ResponseType::JSON;

    fn path(&self) -> String {
        format!("auth/{}", self.path)
    }

    fn method(&self) -> RequestMethod {
        RequestMethod::POST
    }

    fn body(&self) -> Result<Option<Vec<u8>>, ClientError> {
        let body = serde_json::to_vec(&self.body);
        body.map(Some).map_err(|error| ClientError::DataParseError { source: error.into() })
    }
}
