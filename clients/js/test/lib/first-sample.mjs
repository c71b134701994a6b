/** The page of the first backsync as it stands: a model and a collection, `Message` and `Messages`, upon a global `Backbone`. */
export const FIRST_SAMPLE = `
    var Message = Backbone.Model.extend({
         urlRoot : 'ChatMessage',
    });

    var Messages = Backbone.Collection.extend({
        url    : 'ChatMessage',
        model  : Message,

        initialize: function (model) {
            this.syncBind('upsert', this.serverUpsert, this);
            this.syncBind('delete', this.serverDelete, this);
        },

        serverUpsert: function(data) {
            var m = this.get(data.id);
            if (m) {
                m.set(data);
            } else {
                this.add(data);
            }
        },

        serverDelete: function(data) {
            var m = this.get(data.id);
            if (m)
                this.remove(m);
        }
    });
`;
