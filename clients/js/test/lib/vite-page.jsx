/** A small application for the test of Vite: the same records by React's hook, and in a collection of Backbone's. */

import Backbone from "backbone";
import { connect } from "backsync";
import { attach } from "backsync/backbone";
import { useCollection } from "backsync/react";
import { useReducer, useEffect } from "react";
import { createRoot } from "react-dom/client";

const wanted = new URLSearchParams(location.search);
const model = wanted.get("model");
const client = connect(wanted.get("server"));
const { Collection } = attach(Backbone, client, { sync: "socket", live: true });
const tasks = new (Collection.extend({ modelName: model }))();

function Tasks() {
  const { records, state } = useCollection(client, model);
  const [, draw] = useReducer((count) => count + 1, 0);
  useEffect(() => void tasks.on("all", draw), []);
  return <p>{state}: {records.map(({ title }) => title).join(", ")} / {tasks.pluck("title").join(", ")}</p>;
}

window.tasks = tasks;
tasks.fetch();
createRoot(document.body).render(<Tasks />);
