/** The collection: the sample of the first backsync as it stands, with `Log` for `ChatMessage`. */

const { Backbone } = window;

/** A collection class for records of the backsync model `name`. */
export function logsOf(name) {
  const Log = Backbone.Model.extend({
    urlRoot: name,
  });

  return Backbone.Collection.extend({
    url: name,
    model: Log,

    initialize: function () {
      this.syncBind("upsert", this.serverUpsert, this);
      this.syncBind("delete", this.serverDelete, this);
    },

    serverUpsert: function (data) {
      var m = this.get(data.id);
      if (m) {
        m.set(data);
      } else {
        this.add(data);
      }
    },

    serverDelete: function (data) {
      var m = this.get(data.id);
      if (m) this.remove(m);
    },
  });
}
