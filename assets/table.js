// A table whose rows stay the elements they are while their contents change.
//
// A slot of Quasar's table is a new component at every drawing of the page, so that each row was
// made anew whenever anything on the page moved: the keyboard's place in it was lost, and a press
// that began on one button ended on another. Here one template is one component for good.

import { markRaw } from "vue";

const kinds = new Map();

function rowOf(template) {
  if (!kinds.has(template)) {
    kinds.set(template, markRaw({ props: { props: { type: Object, default: {} } }, template }));
  }
  return kinds.get(template);
}

export default {
  props: { columns: Array, rows: Array, row: String, home: String },
  computed: {
    kind() {
      return rowOf(this.row);
    },
  },
  template: `
    <div class="q-table__container q-table--horizontal-separator q-table--flat q-table--no-wrap
                column no-wrap">
      <div class="q-table__middle scroll">
        <table class="q-table">
          <thead><tr>
            <th v-for="column in columns" :key="column.name" scope="col" :class="column.classes">
              <span v-if="column.label">{{ column.label }}</span>
              <span v-else class="unseen">Actions</span></th>
          </tr></thead>
          <tbody><component :is="kind" v-for="one in rows" :key="one.id" :props="{ row: one, home }" />
          </tbody>
        </table>
      </div>
    </div>
  `,
};
