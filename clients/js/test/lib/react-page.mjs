/** A small application in React, for the test of the hook. */

import { StrictMode, createElement as element, useState } from "react";
import { createRoot } from "react-dom/client";

import { connect } from "backsync";
import { populated } from "backsync/populate";
import { useCollection } from "backsync/react";

function Tasks({ client }) {
  const [list, setList] = useState("a");
  const [isShown, setShown] = useState(true);
  Object.assign(window, { setList, setShown });
  return isShown && element(List, { client, list });
}

function List({ client, list }) {
  const { records, state, collection } = useCollection(populated(client), "Task", { where: { list }, sort: "n", populate: { owner: "User" } });
  window.renders.push(`${list}: ${records.map(({ id, list }) => `${id}@${list}`)}`);
  window.collection = collection;
  return element("p", null, `${state} ${list}: ${records.map(({ id, n, owner }) => `${id}=${n}${owner?.name ?? ""}`).join(" ")}`);
}

window.renders = [];
window.begin = (url) => {
  window.client = connect(url);
  createRoot(document.body).render(element(StrictMode, null, element(Tasks, { client: window.client })));
};
