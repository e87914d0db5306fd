// Text to copy, and a button that copies it: also where the page is not served by https, where
// browsers give no clipboard. Then the text is selected and copied in the old way.

export default {
  props: { text: String, label: String },
  data: () => ({ said: "" }),
  methods: {
    async copy() {
      let done = true;
      try {
        await navigator.clipboard.writeText(this.text);
      } catch {
        getSelection().selectAllChildren(this.$refs.text);
        done = document.execCommand("copy");
      }
      this.said = done ? "Copied" : "Press Ctrl+C";
      clearTimeout(this.clearing);
      this.clearing = setTimeout(() => (this.said = ""), 3000);
    },
  },
  template: `
    <div class="copyable">
      <pre class="code" ref="text" tabindex="0" role="region" :aria-label="label">{{ text }}</pre>
      <button type="button" class="btn small" @click="copy">
        <span aria-live="polite">{{ said || "Copy" }}</span>
        <span class="unseen">{{ label }}</span>
      </button>
    </div>
  `,
};
