/** Whether the server is reached, and what waits for it. */

export function light(client) {
  const element = document.getElementById("light");
  const words = document.getElementById("light-text");
  const draw = () => {
    const waiting = client.pending > 0 ? ` · ${client.pending} waiting` : "";
    element.dataset.state = client.isOnline ? "online" : "away";
    words.textContent = client.isOnline ? `connected${waiting}` : `no connection${waiting}`;
  };
  client.on("online", draw);
  client.on("pending", draw);
  draw();
}
