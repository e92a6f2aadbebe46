//! The password of ElastiCache, beside botocore's own signature of the same request at the same moment.

use std::process::Command;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use local::tools;
use lookup::token::Login;

/// AWS documents how botocore signs it; only its clock is set.
const BOTOCORE: &str = r#"
import datetime, sys
import botocore.auth, botocore.credentials, botocore.hooks, botocore.model, botocore.signers
moment = datetime.datetime(2026, 11, 25, 8, 30, 10, tzinfo=datetime.timezone.utc)
class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None): return moment if tz else moment.replace(tzinfo=None)
    @classmethod
    def utcnow(cls): return moment.replace(tzinfo=None)
botocore.auth.datetime = type("module", (), {"datetime": Clock})
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: moment.replace(tzinfo=None) if remove_tzinfo else moment
cluster, user, region, session, serverless = sys.argv[1:]
kind = "&ResourceType=ServerlessCache" if serverless == "true" else ""
credentials = botocore.credentials.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", session or None)
service = botocore.model.ServiceId("elasticache")
emitter = botocore.hooks.HierarchicalEmitter()
signer = botocore.signers.RequestSigner(service, region, "elasticache", "v4", credentials, emitter)
url = f"http://{cluster}/?Action=connect{kind}&User={user}"
request = {"method": "GET", "url": url, "body": {}, "headers": {}, "context": {}}
signed = signer.generate_presigned_url(request, operation_name="connect", expires_in=900, region_name=region)
print(signed.removeprefix("http://"))
"#;

fn of_botocore(login: &Login, session: &str) -> String {
    let mut command = Command::new(tools::emulator("python").unwrap());
    command.args(["-c", BOTOCORE, &login.cluster, &login.user, &login.region, session, &login.serverless.to_string()]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Where it is sent, and its parameters: their order in the address is not signed.
fn parts(token: &str) -> (String, Vec<String>) {
    let (host, query) = token.split_once("/?").unwrap();
    let mut parameters: Vec<String> = query.split('&').map(str::to_owned).collect();
    parameters.sort();
    (host.to_owned(), parameters)
}

#[test]
fn a_token_has_the_signature_that_botocore_gives_it() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_595_410);
    for (session, serverless, user) in
        [("", false, "lookup"), ("FwoGZXIvYXdzE//+=", false, "lookup-1"), ("s", true, "u")]
    {
        let (cluster, region) = ("isthmus-prod".to_owned(), "ap-northeast-1".to_owned());
        let login = Login { cluster, user: user.to_owned(), region, serverless };
        let token = Some(session.to_owned()).filter(|session| !session.is_empty());
        let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG", token, None, "test");
        assert_eq!(parts(&login.token(credentials, now).unwrap()), parts(&of_botocore(&login, session)));
    }
}
