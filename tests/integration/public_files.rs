use crate::{
    http::Http,
    server::{Server, Setup},
};
use std::fs;

#[test]
fn an_application_of_ones_own_is_served_beside_the_doors() {
    let setup = Setup::memory();
    let folder = setup.folder().join("public");
    fs::create_dir_all(folder.join("assets")).unwrap();
    fs::write(setup.folder().join("secret.txt"), "not for everybody").unwrap();
    fs::write(folder.join("index.html"), "<title>mine</title>").unwrap();
    fs::write(folder.join("assets/app.js"), "export {};").unwrap();
    fs::write(folder.join(".hidden"), "x").unwrap();
    let server = Server::start(setup.set("server.public_dir", folder.display()));
    let mut http = Http::to(&server);
    let index = http.get("/");
    assert_eq!((index.status, index.body.as_str()), (200, "<title>mine</title>"));
    assert_eq!((index.header("x-content-type-options"), index.header("x-frame-options")), ("nosniff", "SAMEORIGIN"));
    let script = http.get("/assets/app.js");
    assert_eq!((script.status, script.body.as_str()), (200, "export {};"));
    assert!(script.header("content-type").starts_with("text/javascript"), "{script:?}");
    let tag = script.header("etag").to_owned();
    assert_eq!(http.ask("GET /assets/app.js", &[("if-none-match", &tag)], "").status, 304);
    for path in ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/../../secret.txt", "/.hidden", "/assets", "/none"] {
        let answer = Http::to(&server).get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
    }
    assert_eq!(http.get("/healthz").status, 200);
    assert_eq!(http.json("PUT /api/Task/a", "{}").status, 201);
    assert!(http.get("/console/").body.contains("backsync"));
}
