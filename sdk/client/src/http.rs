//! Requests over REST.
//!
//! One client keeps its connections, with `TCP_NODELAY`: a submission that waits for its receipt would
//! otherwise pay tens of milliseconds for a delayed acknowledgement. An answer is read up to a limit, whatever
//! its length claims to be.

use std::time::Duration;

use reqwest::{
    Method, RequestBuilder, Response, StatusCode,
    header::{ACCEPT, CONTENT_TYPE},
};
use rustorium_types::{
    abi::Abi,
    code::Code,
    id::{Address, ContractId, Epoch, Hash, Height},
    transaction::Body,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    error::{ClientError, Problem},
    model::{
        Account, Contract, Events, PrepareInput, Prepared, SignedInput, StateValue, Status, SubmitResult, ViewResult,
        Wait,
    },
    text,
};

/// For a connection to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For an answer: longer than any wait that a node grants.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
/// Bytes of an answer at the most: a code of the largest size as hex, many times over.
const ANSWER_BYTES: usize = 64 << 20;

/// Names and values of a request's query.
pub type Query<'a> = &'a [(&'a str, String)];

/// A client of one node.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// A client of the node at an address, as `http://127.0.0.1:8645`. Nothing is sent yet.
    ///
    /// # Errors
    /// If it is no such address.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Url(url.into());
        let parsed = reqwest::Url::parse(url).map_err(|_| wrong())?;
        if parsed.scheme() != "http" || parsed.host_str().is_none() {
            return Err(wrong());
        }
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .tcp_nodelay(true)
            .no_proxy()
            .build()
            .map_err(|_| wrong())?;
        Ok(Self { http, base: url.trim_end_matches('/').into() })
    }

    /// The node's address, without a slash at its end.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Asks for an object.
    ///
    /// # Errors
    /// If the node does not answer, refuses, or answers something else.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, query: Query<'_>) -> Result<T, ClientError> {
        self.send(path, self.request(Method::GET, path).query(query)).await
    }

    /// Sends an object and asks for another.
    ///
    /// # Errors
    /// If the node does not answer, refuses, or answers something else.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        query: Query<'_>,
        body: &(impl Serialize + ?Sized + Sync),
    ) -> Result<T, ClientError> {
        self.send(path, self.request(Method::POST, path).query(query).json(body)).await
    }

    /// What the node knows of its chain.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get("/v1/status", &[]).await
    }

    /// The bytes of the genesis. Whoever trusts a hash compares it with theirs.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn genesis(&self) -> Result<Vec<u8>, ClientError> {
        self.octets("/v1/genesis").await
    }

    /// The bytes of the header that ends an epoch, with its certificate: `EpochLink`.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn epoch(&self, epoch: Epoch) -> Result<Vec<u8>, ClientError> {
        self.octets(&format!("/v1/epochs/{epoch}")).await
    }

    /// The module of a code. Whoever trusts its hash compares it with theirs.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn wasm(&self, code: &Hash) -> Result<Vec<u8>, ClientError> {
        let path = format!("/v1/codes/{code}");
        self.bytes(&path, self.request(Method::GET, &path).header(ACCEPT, "application/wasm")).await
    }

    /// What an address holds.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn account(&self, address: Address) -> Result<Account, ClientError> {
        self.get(&format!("/v1/accounts/{address}"), &[]).await
    }

    /// A contract, with a proof of its record or without.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn contract(
        &self,
        contract: ContractId,
        height: Option<Height>,
        proof: bool,
    ) -> Result<Contract, ClientError> {
        let mut query = vec![("proof", proof.to_string())];
        query.extend(height.map(|height| ("height", height.to_string())));
        self.get(&format!("/v1/contracts/{contract}"), &query).await
    }

    /// What a contract offers.
    ///
    /// # Errors
    /// See [`Client::get`]; also if its code does not say, or what the node sends is no ABI.
    pub async fn abi(&self, contract: ContractId) -> Result<Abi, ClientError> {
        let path = format!("/v1/contracts/{contract}/abi");
        let document: Value = self.get(&path, &[]).await?;
        if document.is_null() || document.as_object().is_some_and(serde_json::Map::is_empty) {
            return Err(Problem::new(Code::NotFound, format!("the code of {contract} has no ABI")).into());
        }
        Abi::from_json(&document).map_err(|error| self.unintelligible(&path, &error.to_string()))
    }

    /// Runs a view on encoded arguments, at a height or on the newest state, with a witness or without.
    ///
    /// # Errors
    /// See [`Client::get`]. A view that fails is an answer.
    pub async fn view(
        &self,
        contract: ContractId,
        view: &str,
        arguments: &[u8],
        height: Option<Height>,
        witness: bool,
    ) -> Result<ViewResult, ClientError> {
        let mut body = json!({ "raw": text::hex::format(arguments) });
        if let Some(height) = height {
            body["height"] = height.0.into();
        }
        if witness {
            body["witness"] = true.into();
        }
        self.post(&format!("/v1/contracts/{contract}/views/{view}"), &[], &body).await
    }

    /// Reads one storage key, at a height or from the newest state, with a proof or without.
    ///
    /// # Errors
    /// See [`Client::get`]. A key without a value is an answer.
    pub async fn state(
        &self,
        contract: ContractId,
        key: &[u8],
        height: Option<Height>,
        proof: bool,
    ) -> Result<StateValue, ClientError> {
        let mut query = vec![("raw", text::hex::format(key)), ("proof", proof.to_string())];
        query.extend(height.map(|height| ("height", height.to_string())));
        self.get(&format!("/v1/contracts/{contract}/state"), &query).await
    }

    /// A page of a contract's events.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn events(&self, contract: ContractId, query: Query<'_>) -> Result<Events, ClientError> {
        self.get(&format!("/v1/contracts/{contract}/events"), query).await
    }

    /// Submits transactions and waits; an answer each, in their order.
    ///
    /// # Errors
    /// See [`Client::get`]. A transaction that is refused has that as its answer.
    pub async fn submit(&self, transactions: &[SignedInput], wait: Wait) -> Result<Vec<SubmitResult>, ClientError> {
        let path = "/v1/transactions";
        let results: Vec<SubmitResult> = self.post(path, &[("wait", wait.text().into())], transactions).await?;
        if results.len() != transactions.len() {
            return Err(self.unintelligible(path, "not one answer for each transaction"));
        }
        Ok(results)
    }

    /// What a transaction would do, and the gas that it would need.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn prepare(&self, input: &PrepareInput) -> Result<Prepared, ClientError> {
        self.post("/v1/transactions/prepare", &[], input).await
    }

    /// A transaction, as the node gives it.
    ///
    /// # Errors
    /// See [`Client::get`].
    pub async fn transaction(&self, hash: &Hash) -> Result<Value, ClientError> {
        self.get(&format!("/v1/transactions/{hash}"), &[]).await
    }

    /// What a transaction did, step by step, executed again.
    ///
    /// # Errors
    /// See [`Client::get`]; `HEIGHT_PRUNED` where the state before its block is no longer kept.
    pub async fn trace(&self, hash: &Hash) -> Result<Value, ClientError> {
        self.get(&format!("/v1/transactions/{hash}/trace"), &[]).await
    }

    /// Executes a transaction of any sender without a signature, and waits. Only dev chains do.
    ///
    /// # Errors
    /// See [`Client::get`]; `FORBIDDEN` on other chains.
    pub async fn impersonate(&self, body: &Body, wait: Wait) -> Result<SubmitResult, ClientError> {
        let bytes = borsh::to_vec(body).unwrap_or_default();
        let body = json!({ "body": text::hex::format(&bytes) });
        self.post("/v1/dev/impersonate", &[("wait", wait.text().into())], &body).await
    }

    /// Commands a dev chain, as `{"snapshot":{}}`; answers the height of the block that took the command.
    ///
    /// # Errors
    /// See [`Client::get`]; `FORBIDDEN` on other chains.
    pub async fn control(&self, control: &Value) -> Result<Height, ClientError> {
        let path = "/v1/dev/control";
        let answer: Value = self.post(path, &[], control).await?;
        let height = answer["height"].as_u64().map(Height);
        height.ok_or_else(|| self.unintelligible(path, "no height"))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    async fn send<T: DeserializeOwned>(&self, path: &str, request: RequestBuilder) -> Result<T, ClientError> {
        let bytes = self.bytes(path, request).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.unintelligible(path, &error.to_string()))
    }

    async fn octets(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.bytes(path, self.request(Method::GET, path)).await
    }

    async fn bytes(&self, path: &str, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        let is_problem = response
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/problem+json"));
        let bytes = self.body(path, response).await?;
        if is_problem && let Ok(problem) = serde_json::from_slice::<Problem>(&bytes) {
            return Err(problem.into());
        }
        match status {
            StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED => Ok(bytes),
            other => Err(self.unintelligible(path, &format!("HTTP status {other}"))),
        }
    }

    async fn body(&self, path: &str, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if bytes.len() + chunk.len() > ANSWER_BYTES {
                return Err(self.unintelligible(path, "more bytes than any answer has"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The innermost cause says it best: `Connection refused`, not `error sending request`.
    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let reason = if error.is_timeout() { "no answer in time".into() } else { cause.to_string() };
        ClientError::Unreachable { url: self.base.clone(), reason }
    }

    fn unintelligible(&self, path: &str, reason: &str) -> ClientError {
        ClientError::Answer { url: format!("{}{path}", self.base), reason: reason.into() }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// A server that gives every request the same answer.
    async fn answering(answer: &'static str) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        client
    }

    #[tokio::test]
    async fn a_refusal_has_its_code() {
        let client = answering(
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/problem+json\r\ncontent-length: 67\r\n\r\n\
             {\"code\":\"NOT_FOUND\",\"detail\":\"there is no block 9\",\"status\":404}    ",
        )
        .await;
        let error = client.status().await.unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (Some(Code::NotFound), "there is no block 9"));
    }

    #[tokio::test]
    async fn what_is_no_node_is_told_from_no_answer() {
        let client = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await;
        assert!(matches!(client.status().await, Err(ClientError::Answer { .. })));
        let client = answering("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n").await;
        assert!(matches!(client.status().await, Err(ClientError::Answer { .. })));
        let nobody = Client::new("http://127.0.0.1:1").unwrap();
        assert!(matches!(nobody.status().await, Err(ClientError::Unreachable { .. })));
        for wrong in ["127.0.0.1:1", "ftp://a", "http://", "https://a"] {
            assert!(matches!(Client::new(wrong), Err(ClientError::Url(_))), "{wrong}");
        }
    }
}
