/** What is seen: elements for messages and people, which are made once and changed where something changed. */

const element = (name, className, text) => Object.assign(document.createElement(name), { className, textContent: text ?? "" });

/** Keeps `list` showing the models of `messages`. `author`: whose messages may be edited and deleted here. */
export function showMessages(list, messages, author) {
  const items = new Map();
  const isAtEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const draw = () => {
    const wasAtEnd = isAtEnd();
    const elements = messages.map((message) => {
      if (!items.has(message.id)) items.set(message.id, itemOf(message, author));
      return items.get(message.id).show(message);
    });
    list.replaceChildren(...elements);
    if (wasAtEnd) list.scrollTop = list.scrollHeight;
  };
  let isDue = false;
  const later = () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      draw();
    });
  };
  messages.on("add remove change reset sort sync", later);
  later();
  return () => messages.off(null, later);
}

function itemOf(message, author) {
  const item = element("li", "message");
  const [name, time, text, edited] = [element("b"), element("time"), element("span", "words"), element("small", "edited")];
  item.append(name, time, edited, text);
  const isOwn = message.get("author") === author;
  item.classList.toggle("own", isOwn);
  if (isOwn) {
    const [edit, remove] = [element("button", "act", "edit"), element("button", "act", "delete")];
    edit.onclick = () => editIn(item, text, message);
    remove.onclick = () => message.destroy();
    item.append(edit, remove);
  }
  return {
    show(model) {
      const at = new Date(model.get("at"));
      name.textContent = model.get("name");
      time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      time.dateTime = at.toISOString();
      text.textContent = model.get("text");
      edited.textContent = model.get("edited") ? "edited" : "";
      item.classList.toggle("waiting", !model.has("_rev"));
      return item;
    },
  };
}

function editIn(item, text, message) {
  const field = Object.assign(element("input", "edit"), { value: message.get("text"), maxLength: 2000 });
  let isOver = false;
  const end = (isWanted) => {
    if (isOver) return;
    isOver = true;
    field.replaceWith(text);
    const words = field.value.trim();
    if (isWanted && words && words !== message.get("text")) message.save({ text: words, edited: true }, { patch: true });
  };
  field.onkeydown = ({ key }) => (key === "Enter" ? end(true) : key === "Escape" && end(false));
  field.onblur = () => end(true);
  text.replaceWith(field);
  field.focus();
}

export function showPeople(list, typing, people, author) {
  list.replaceChildren(...people.map((person) => element("li", person.author === author ? "own" : "", person.name)));
  const names = people.filter((person) => person.typing && person.author !== author).map(({ name }) => name);
  typing.textContent = names.length === 0 ? "" : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing…`;
}
