use berth_object::object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use berth_object::object_store::client::{HttpRequest, HttpRequestBody};
use berth_object::{ObjectBlobs, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

const BUCKET: &str = "berth-test";

/// The account and the key that Azurite has, as everybody knows.
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Azurite, an emulator of the buckets of Azure, which somebody has started.
pub(crate) struct Azurite {
    endpoint: String,
}

impl Azurite {
    /// At an endpoint without the account.
    pub(crate) fn at(endpoint: &str) -> Self {
        let endpoint = format!("{}/{ACCOUNT}", endpoint.trim_end_matches('/'));
        Self { endpoint }
    }

    pub(crate) fn blobs(&self, prefix: &str, settings: Settings) -> ObjectBlobs {
        self.blobs_in(BUCKET, prefix, settings)
    }

    pub(crate) fn blobs_in(&self, bucket: &str, prefix: &str, settings: Settings) -> ObjectBlobs {
        let url = format!("az://{bucket}/{prefix}").parse().unwrap();
        let variables = [
            ("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT),
            ("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY),
            ("AZURE_STORAGE_ENDPOINT", &self.endpoint),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        ObjectBlobs::connect(&url, variables, settings).unwrap()
    }

    /// Makes the bucket, if it is not there from the last time.
    pub(crate) async fn make_bucket(&self) {
        let making = self.making();
        let url = Url::parse(&making.uri().to_string()).unwrap();
        let addresses = url.socket_addrs(|| None).unwrap();
        let mut request = format!(
            "PUT {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
            making.uri().path_and_query().unwrap(),
            making.uri().authority().unwrap(),
        );
        for (name, value) in making.headers() {
            request += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        request += "\r\n";
        let mut connection = TcpStream::connect(&addresses[..]).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["201", "409"].contains(&status), "{answer}");
    }

    fn making(&self) -> HttpRequest {
        let mut making =
            http::Request::put(format!("{}/{BUCKET}?restype=container", self.endpoint))
                .header("content-length", "0")
                .body(HttpRequestBody::empty())
                .unwrap();
        let credential = AzureCredential::AccessKey(AzureAccessKey::try_new(ACCOUNT_KEY).unwrap());
        let authorizer = AzureAuthorizer::new(&credential, ACCOUNT);
        authorizer.try_authorize(&mut making).unwrap();
        making
    }
}
