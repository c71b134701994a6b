/** What Alloy does with models and their sync adapters, by its documentation: models and collections are made of definitions. */

export class Alloy {
  #Backbone;
  #adapters;
  #made = new Map();

  /** `adapters`: the exports of the files in `alloy/sync`, by their names. */
  constructor(Backbone, adapters) {
    this.#Backbone = Backbone;
    this.#adapters = adapters;
  }

  /** A file in `app/models`. */
  define(name, definition) {
    const { config: given = {}, extendModel, extendCollection } = definition;
    const adapter = this.#adapters[given.adapter.type];
    const sync = function (method, model, options) {
      return adapter.sync(method, model, options);
    };
    const config = adapter.beforeModelCreate?.(given, name) ?? given;
    let Model = this.#Backbone.Model.extend({ sync, defaults: config.defaults });
    Model.prototype.config = config;
    Model = extendModel?.(Model) ?? Model;
    adapter.afterModelCreate?.(Model, name);
    let Collection = this.#Backbone.Collection.extend({ model: Model, sync });
    Collection.prototype.config = Model.prototype.config;
    Collection = extendCollection?.(Collection) ?? Collection;
    adapter.afterCollectionCreate?.(Collection);
    this.#made.set(name, { Model, Collection });
  }

  createModel(name, values) {
    return new (this.#made.get(name).Model)(values);
  }

  createCollection(name, values) {
    return new (this.#made.get(name).Collection)(values);
  }
}
