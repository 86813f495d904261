//! Plays the story with the Rust SDK's client: `client URL`.
//!
//! Writes one JSON line a step. Writes "kill" when the server is to be killed, and reads a line
//! when that is done.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ClientConfig, ElicitRequestParams, ElicitResult, ElicitationAction,
    Implementation, ProgressNotificationParam,
};
use rmcp::service::{NotificationContext, RequestContext, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::{ClientHandler, ErrorData, ServiceExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;

fn step(name: &str, ok: bool, note: impl ToString) {
    println!("{}", json!({ "step": name, "ok": ok, "note": note.to_string() }));
}

struct Story {
    seen: Arc<Mutex<Vec<i64>>>,
    third: mpsc::UnboundedSender<()>,
}

impl ClientHandler for Story {
    async fn create_elicitation(
        &self,
        _: ElicitRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({ "sure": true })))
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.seen.lock().unwrap().push(params.progress as i64);
        if params.progress == 3.0 {
            let _ = self.third.send(());
        }
    }

    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = Some(Default::default());
        ClientConfig::new(capabilities, Implementation::new("story", "1.0.0"))
    }
}

async fn call(client: &RunningService<RoleClient, Story>, name: &'static str, arguments: Value) -> Result<String, String> {
    let params = CallToolRequestParams::new(name).with_arguments(arguments.as_object().cloned().unwrap());
    let answer = tokio::time::timeout(Duration::from_secs(40), client.call_tool(params)).await;
    let result = answer.map_err(|_| "no answer in 40 s".to_string())?.map_err(|error| error.to_string())?;
    let texts: Vec<String> = result.content.iter().filter_map(|item| item.as_text().map(|text| text.text.clone())).collect();
    Ok(texts.join("\n"))
}

#[tokio::main]
async fn main() {
    let url = std::env::args().nth(1).expect("a URL");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let chapters = || seen.lock().unwrap().clone();
    let (third, mut at_three) = mpsc::unbounded_channel();
    let story = Story { seen: seen.clone(), third };
    let client = story.serve(StreamableHttpClientTransport::from_uri(url)).await.expect("a server");
    step("initialize", true, "");

    let text = call(&client, "add_note", json!({ "text": "buy milk" })).await;
    step("call", text.as_deref() == Ok("1 note"), "");
    let _ = call(&client, "read_book", json!({ "chapters": 3, "delayMs": 50 })).await;
    step("progress", chapters() == [1, 2, 3], format!("{:?}", chapters()));
    let text = call(&client, "clear_notes", json!({})).await;
    step("elicitation", text.as_deref() == Ok("The notes were removed"), format!("{text:?}"));
    let _ = call(&client, "add_note", json!({ "text": "call Ada" })).await;

    at_three.recv().await;
    seen.lock().unwrap().clear();
    let book = json!({ "chapters": 10, "delayMs": 100 });
    let mut running = Box::pin(call(&client, "read_book", book.clone()));
    tokio::select! {
        _ = at_three.recv() => {}
        _ = &mut running => {}
    }
    println!("kill");
    let waiting = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
    let began = Instant::now();
    let outcome = format!("{:?}", running.as_mut().await);
    let took = began.elapsed().as_secs_f64();
    drop(running);
    let _ = waiting.await;
    let before = chapters();
    let note = format!("{outcome} after {took:.1} s, chapters {before:?}");
    step("kill -9 and resume", outcome.contains("was interrupted"), note);

    let text = call(&client, "read_book", book).await;
    let rest = chapters()[before.len()..].to_vec();
    step("the call goes on", text.is_ok() && rest.last() == Some(&10), format!("{rest:?}"));
    let text = call(&client, "list_notes", json!({})).await;
    step("state", text.as_deref() == Ok("call Ada"), format!("{text:?}"));
    let text = call(&client, "clear_notes", json!({})).await;
    step("elicitation after the kill", text.as_deref() == Ok("The notes were removed"), format!("{text:?}"));
    step("close", client.cancel().await.is_ok(), "");
}
