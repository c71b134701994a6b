use crate::{
    client::Client,
    http::Http,
    server::{Server, Setup},
};
use serde_json::{Value, json};

/// Somebody has a spouse (to one), friends (to many), pets (the pet says its owner), and is in groups (the group has its members).
fn world() -> (Server, Http) {
    let setup = Setup::memory()
        .set("models.User.references", "['spouse=User','friends=User[]','pets=Pet:owner','groups=Group:members']")
        .set("models.Pet.references", "['owner=User']")
        .set("models.Group.references", "['members=User[]']");
    let server = Server::start(setup);
    let mut http = Http::to(&server);
    http.json("POST /api/User", r#"[{"id":"ada"},{"id":"bob"},{"id":"cyd"}]"#);
    http.json(
        "POST /api/Pet",
        r#"[{"id":"rex","owner":"ada","age":3},{"id":"tom","owner":"ada","age":5},{"id":"kit","owner":"adam"}]"#,
    );
    http.json("POST /api/Group", r#"[{"id":"chess","members":["ada"]},{"id":"go"}]"#);
    (server, http)
}

fn ids(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|record| record["id"].as_str().unwrap()).collect()
}

#[test]
fn to_one() {
    let (_server, mut http) = world();
    assert_eq!(http.get("/api/User/ada/spouse").status, 404);
    assert_eq!(http.ask("PUT /api/User/ada/spouse/bob", &[], "").status, 204);
    assert_eq!(http.get("/api/User/ada/spouse").json()["id"], "bob");
    assert_eq!(http.ask("PUT /api/User/ada/spouse/none", &[], "").status, 404, "only who is there");
    // Made and married in one request; it takes the place of the one before.
    let made = http.json("POST /api/User/ada/spouse", r#"{"name":"Eve"}"#);
    assert_eq!((made.status, &made.json()["name"]), (201, &json!("Eve")));
    let id = made.json()["id"].clone();
    assert_eq!(http.get("/api/User/ada").json()["spouse"], id);
    assert_eq!(http.get(made.header("location")).json(), made.json());
    assert_eq!(http.ask("DELETE /api/User/ada/spouse/bob", &[], "").status, 204, "it is not that one any more");
    assert_eq!(http.get("/api/User/ada/spouse").json()["id"], id);
    http.ask(&format!("DELETE /api/User/ada/spouse/{}", id.as_str().unwrap()), &[], "");
    assert_eq!(http.get("/api/User/ada").json()["spouse"], Value::Null);
}

#[test]
fn to_many() {
    let (server, mut http) = world();
    let mut listener = Client::connect(&server);
    listener.must("User:read", json!({"id": "ada"}));
    assert_eq!(http.get("/api/User/ada/friends").json(), json!([]));
    assert_eq!(http.ask("POST /api/User/ada/friends/cyd", &[], "").status, 204);
    assert_eq!(listener.receive()["data"]["friends"], json!(["cyd"]));
    let known = http.json("POST /api/User/ada/friends", r#"{"id":"bob","nick":"b"}"#);
    assert_eq!((known.status, &known.json()["nick"]), (200, &json!("b")));
    assert_eq!(ids(&http.get("/api/User/ada/friends").json()), ["cyd", "bob"]);
    assert_eq!(ids(&http.get("/api/User/ada/friends?sort=id&limit=1").json()), ["bob"]);
    assert_eq!(http.ask("PUT /api/User/ada/friends/bob", &[], "").status, 204, "twice is once");
    assert_eq!(http.get("/api/User/ada/friends/bob").json()["id"], "bob");
    assert_eq!(http.ask("DELETE /api/User/ada/friends/cyd", &[], "").status, 204);
    assert_eq!(http.get("/api/User/ada/friends/cyd").status, 404);
    assert_eq!(http.get("/api/User/ada").json()["friends"], json!(["bob"]));
    // Who has gone can be removed, too.
    http.ask("DELETE /api/User/bob", &[], "");
    assert_eq!(http.ask("DELETE /api/User/ada/friends/bob", &[], "").status, 204);
    assert_eq!(http.get("/api/User/ada").json()["friends"], json!([]));
}

#[test]
fn what_the_other_side_keeps() {
    let (_server, mut http) = world();
    assert_eq!(ids(&http.get("/api/User/ada/pets").json()), ["rex", "tom"], "Adam is another");
    assert_eq!(ids(&http.get("/api/User/ada/pets?where=%7B%22age%22%3A5%7D").json()), ["tom"]);
    assert_eq!(http.ask("PUT /api/User/bob/pets/tom", &[], "").status, 204);
    assert_eq!(http.get("/api/Pet/tom").json()["owner"], "bob");
    let made = http.json("POST /api/User/bob/pets", r#"{"id":"pip"}"#);
    assert_eq!((made.status, made.json()), (201, json!({"id": "pip", "owner": "bob", "_rev": 6})));
    assert_eq!(ids(&http.get("/api/User/bob/pets?sort=-id").json()), ["tom", "pip"]);
    http.ask("DELETE /api/User/bob/pets/tom", &[], "");
    assert_eq!(http.get("/api/Pet/tom").json()["owner"], Value::Null);
}

#[test]
fn many_to_many() {
    let (_server, mut http) = world();
    http.ask("PUT /api/User/bob/groups/chess", &[], "");
    http.ask("PUT /api/Group/go/members/bob", &[], "");
    assert_eq!(ids(&http.get("/api/User/bob/groups").json()), ["chess", "go"]);
    assert_eq!(ids(&http.get("/api/Group/chess/members").json()), ["ada", "bob"]);
    http.ask("DELETE /api/Group/chess/members/ada", &[], "");
    assert_eq!(http.get("/api/User/ada/groups").json(), json!([]));
}

#[test]
fn links_that_many_set_at_once_are_all_there() {
    let (server, mut http) = world();
    let users: Vec<String> = (0..8).map(|n| format!("u{n}")).collect();
    for user in &users {
        http.json(&format!("PUT /api/User/{user}"), "{}");
    }
    std::thread::scope(|scope| {
        for user in &users {
            let server = &server;
            scope.spawn(move || {
                let answer = Http::to(server).ask(&format!("PUT /api/Group/go/members/{user}"), &[], "");
                assert_eq!(answer.status, 204);
            });
        }
    });
    let members = http.get("/api/Group/go/members").json();
    let mut members = ids(&members);
    members.sort_unstable();
    assert_eq!(members, users);
}

#[test]
fn what_is_no_association_is_404_and_names_those_that_there_are() {
    let (_server, mut http) = world();
    let unknown = http.get("/api/User/ada/cars");
    assert_eq!(unknown.status, 404);
    assert!(unknown.json()["detail"].as_str().unwrap().contains("friends, groups, pets, spouse"), "{unknown:?}");
    assert_eq!(http.get("/api/User/nobody/pets").status, 404);
    assert_eq!(http.json("POST /api/User/ada/pets", "[]").status, 400);
    assert_eq!(http.json("POST /api/User/nobody/pets", "{}").status, 404);
    assert_eq!(http.get("/api/Pet").json().as_array().unwrap().len(), 3, "nothing was made");
}
