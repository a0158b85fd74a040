/* tests/unit/native/plugin.c: a library for test_symbolise.c that is loaded while the program runs. */
void *plugin_hidden(void);

static __attribute__((noinline)) int hidden_in_plugin(int x)
{
        return x + 1;
}

void *plugin_hidden(void)
{
        return (void *)hidden_in_plugin;
}
