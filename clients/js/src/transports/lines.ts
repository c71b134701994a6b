/** The lines of a response, each as soon as it is there. */
export async function* linesOf(response: Response): AsyncGenerator<string> {
  const reader = response.body?.getReader();
  // An old browser has the text only when it is whole; polling still works.
  if (!reader) return yield* (await response.text()).split("\n").filter(Boolean);
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = decoder.decode(value, { stream: true }).split("\n");
    // A long line comes in many pieces, which are joined once.
    while (lines.length > 1) {
      const line = pieces.concat(lines.shift()!).join("");
      pieces = [];
      if (line) yield line;
    }
    if (lines[0]) pieces.push(lines[0]);
  }
}
