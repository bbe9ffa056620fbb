/* Example data made for the project (examples/), embedded so that every command has an example
 * without a download. One row here per file; the Makefile's rule for this object covers
 * examples/. */
#include "data/builtin.h"
#include "base/buffer.h"
#include "base/embed.h"
#include "base/text.h"
#include <assay/base.h>
#include <string.h>

BASE_EMBED(data_example_survey, "examples/survey.csv");
BASE_EMBED(data_example_weather, "examples/weather.csv");
BASE_EMBED(data_example_contacts, "examples/contacts.csv");
BASE_EMBED(data_example_recipes, "examples/recipes.csv");
BASE_EMBED(data_example_friends, "examples/friends.csv");
BASE_EMBED(data_example_people, "examples/people.csv");
BASE_EMBED(data_example_stories, "examples/stories.txt");

#define FILE_ROW(name, file, symbol, what)                                                         \
    {                                                                                              \
        name, file, symbol, symbol##_end, what                                                     \
    }
const struct data_builtin data_builtins[] = {
    FILE_ROW("survey", "survey.csv", data_example_survey,
             "a made-up population: 2,000 employees of 96 companies in four regions"),
    FILE_ROW("contacts", "contacts.csv", data_example_contacts,
             "a made-up graph: who knows whom among 620 people of six villages"),
    FILE_ROW("recipes", "recipes.csv", data_example_recipes,
             "made-up recipes: 2,000 of six cuisines, one of them rare (100)"),
    FILE_ROW("friends", "friends.csv", data_example_friends,
             "a made-up graph: friendships among 300 pupils of six clubs"),
    FILE_ROW("people", "people.csv", data_example_people,
             "those pupils: their club, whether they play an instrument, hours a week"),
    FILE_ROW("stories", "stories.txt", data_example_stories,
             "450 short documents on six subjects, a line each"),
    FILE_ROW("weather", "weather.csv", data_example_weather,
             "made-up weather of three places on three days"),
};
const size_t data_builtin_count = sizeof data_builtins / sizeof *data_builtins;

const struct data_builtin *data_builtin_find(const char *path)
{
    if (!base_starts_with(path, "builtin:"))
        return NULL;
    const char *name = path + strlen("builtin:");
    for (size_t i = 0; i < data_builtin_count; i++)
        if (strcmp(name, data_builtins[i].name) == 0)
            return &data_builtins[i];
    struct base_buffer names = { 0 };
    for (size_t i = 0; i < data_builtin_count; i++)
        base_buffer_printf(&names, "%s%s", i ? ", " : "", data_builtins[i].name);
    base_error_set(BASE_E_ARGUMENT, "%s: no such built-in file; there are: %s", path,
                   names.data ? names.data : "");
    base_buffer_free(&names);
    return NULL;
}
