/** How the pages look: a signature says everything once, as TypeScript does, and below it leads to the types that it names. */

import { MarkdownTheme, MarkdownThemeContext } from "typedoc-plugin-markdown";

class Context extends MarkdownThemeContext {
  constructor(...values) {
    super(...values);
    const { partials } = this;
    this.partials = {
      ...partials,
      // What is inherited is the same, and what is overridden nobody asks for.
      inheritance: () => "",
      signatureReturns: (signature) => this.#leads(signature),
      accessor: ({ getSignature }, { headingLevel }) =>
        [partials.signatureTitle(getSignature, { accessor: "get" }), partials.comment(getSignature.comment, { headingLevel }), this.#leads(getSignature)].join("\n\n"),
      typeDeclarationUnionContainer: ({ type }) => this.#members(type),
    };
  }

  /** Links to what a signature names. */
  #leads({ parameters = [], typeParameters = [], type }) {
    const types = [...typeParameters.flatMap((one) => [one.type, one.default]), ...parameters.map((one) => one.type), type].filter(Boolean);
    const links = types.flatMap((one) => this.partials.someType(one).match(/\[`[^`]+`\]\([^)]+\)/g) ?? []);
    return links.length > 0 ? `Types: ${[...new Set(links)].join(", ")}` : "";
  }

  /** What the members of a union are, by the `type` that tells them apart. */
  #members({ types, elementSummaries = [] }) {
    const told = types.flatMap(({ declaration }, at) => {
      const kind = declaration?.children?.find(({ name }) => name === "type")?.type;
      return kind && elementSummaries[at] ? [`- \`${kind}\`: ${this.helpers.getCommentParts(elementSummaries[at])}`] : [];
    });
    return told.join("\n");
  }
}

class Theme extends MarkdownTheme {
  getRenderContext(page) {
    return new Context(this, page, this.application.options);
  }
}

export function load(app) {
  app.renderer.defineTheme("reference", Theme);
}
